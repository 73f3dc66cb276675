"""ONNX against PyTorch at one thread, on the corpus's test split."""

from time import process_time

import torch

from classifier.models import ModelVersion
from classifier.registry.queries import folder_of
from ml.data import load_corpus
from ml.predictor import Predictor

EMAILS = 150


def run(version: ModelVersion) -> list[tuple[str, str]]:
    torch.set_num_threads(1)
    emails = [(e.department, e.subject, e.body) for e in load_corpus("test")[:EMAILS]]
    took = {name: _seconds(Predictor(folder_of(version), name), emails) for name in ("torch", "onnx")}
    return [
        ("PyTorch fp32, emails a CPU second", f"{EMAILS / took['torch']:.0f}"),
        ("ONNX fp32, emails a CPU second", f"{EMAILS / took['onnx']:.0f}"),
        ("ratio", f"{took['torch'] / took['onnx']:.2f} x"),
    ]


def _seconds(predictor: Predictor, emails: list[tuple[str, str, str]]) -> float:
    for email in emails[:5]:
        predictor.predict(*email)
    start = process_time()
    for email in emails:
        predictor.predict(*email)
    return process_time() - start
