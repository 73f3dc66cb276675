"""The starter model: shipped heads on the frozen MiniLM encoder.

The heads are small (0.6 MB) and stand beside this file with the hash of the corpus they were
fitted on, so that a first start trains nothing. After a change of the corpus rebuild them with

    python -m ml.starter
"""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.artifact import data_hash, save_artifact
from ml.data import load_corpus
from ml.encoder import MINILM, resolve_encoder
from ml.errors import ArtifactError
from ml.scoring import Calibration
from ml.taxonomy import LabelSpace, load_taxonomy

HEADS = Path(__file__).parent / "starter" / "heads.safetensors"
ABOUT = HEADS.with_name("about.json")
PREFIXES = ("type_head.", "subtype_head.")


def load_starter():
    """The starter as a `training.Trained`, ready to be saved as an artifact.

    Raises ArtifactError when the shipped heads do not belong to the corpus.
    """
    from safetensors.torch import load_file

    from ml.model import DualHeadClassifier
    from ml.training import Trained

    about = json.loads(ABOUT.read_text())
    if about["data_sha256"] != data_hash(load_corpus("train")):
        raise ArtifactError(f"{HEADS} was fitted on another corpus; run: python -m ml.starter")
    space = LabelSpace.from_json(about["labels"])
    settings = about["hyperparameters"]
    model = DualHeadClassifier.from_encoder(resolve_encoder(MINILM), space, layers=settings["layers"])
    missing = model.load_state_dict(load_file(HEADS), strict=False).missing_keys
    if any(key.startswith(PREFIXES) for key in missing):
        raise ArtifactError(f"{HEADS} lacks {', '.join(k for k in missing if k.startswith(PREFIXES))}")
    return Trained(model, space, Calibration(**about["calibration"]), settings)


def starter_metrics() -> dict:
    """What was measured on the corpus's test split when the heads were built."""
    return json.loads(ABOUT.read_text())["metrics"]


def build_starter(*, progress: bool = True) -> None:
    """Fit the heads on the corpus's training split, measure them on its test split, and write both."""
    from safetensors.torch import save_file

    from ml.evaluation import report, run
    from ml.predictor import Predictor
    from ml.training import train_frozen

    examples = load_corpus("train")
    space = load_taxonomy().label_space()
    trained = train_frozen(examples, encoder=MINILM, space=space, progress=progress)
    HEADS.parent.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in trained.model.state_dict().items() if k.startswith(PREFIXES)}, HEADS)
    with TemporaryDirectory() as folder:
        artifact = save_artifact(trained, Path(folder) / "starter", version="starter", examples=examples)
        metrics = report(run(Predictor(artifact.folder), load_corpus("test"), progress=progress))
    about = {
        "data_sha256": data_hash(examples),
        "hyperparameters": trained.hyperparameters,
        "calibration": asdict(trained.calibration),
        "metrics": {name: metrics[name] for name in ("n", "type", "subtype", "per_department")},
        "labels": space.to_json(),
    }
    ABOUT.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    build_starter()
