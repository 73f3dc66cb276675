"""Classifies one email with a loaded artifact.

>>> Predictor(Path("var/models/starter")).predict("it", "VPN", "it is down again!!!")  # doctest: +SKIP
Scores(types=…, type='complaint', type_confidence=0.93, subtype='outage_complaint', …)
"""

from pathlib import Path

from ml.artifact import load_artifact
from ml.runtimes import load_runtime
from ml.scoring import Scores, score
from ml.tokenizing import encode_email, load_tokenizer


class Predictor:
    """A verified artifact on a runtime, ready to answer; safe to share between threads."""

    def __init__(self, folder: Path, runtime: str = "onnx"):
        self.artifact = load_artifact(folder)
        self.runtime = load_runtime(runtime, self.artifact)
        self._tokenizer = load_tokenizer(folder)

    @property
    def version(self) -> str:
        return self.artifact.version

    def predict(self, department: str, subject: str, body: str) -> Scores:
        """Score an email of a department; an unknown department gets a type and no subtype."""
        ids = encode_email(self._tokenizer, department, subject, body)
        types, subtypes = self.runtime.logits(ids)
        return score(types, subtypes, department, self.artifact.space, self.artifact.calibration)
