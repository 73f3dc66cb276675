"""One process that loads a model and classifies emails, and prints what that took as JSON.

python -m benchmarks.inference_worker MODEL_FOLDER onnx|torch EMAILS_JSON
"""

import json
import sys
from pathlib import Path
from time import perf_counter, process_time

import psutil

WARM_UP = 3


def main(folder: str, runtime: str, emails_file: str) -> None:
    emails = [tuple(e) for e in json.loads(Path(emails_file).read_text())]
    start = perf_counter()
    if runtime == "torch":
        import torch

        torch.set_num_threads(1)
    from ml.predictor import Predictor

    predictor = Predictor(Path(folder), runtime)
    predictor.predict(*emails[0])
    loaded = perf_counter() - start
    for email in emails[:WARM_UP]:
        predictor.predict(*email)
    wall, cpu = perf_counter(), process_time()
    for email in emails:
        predictor.predict(*email)
    figures = {
        "load_s": loaded,
        "cpu_s": process_time() - cpu,
        "wall_s": perf_counter() - wall,
        "rss_mb": psutil.Process().memory_info().rss / 2**20,
        "n": len(emails),
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
