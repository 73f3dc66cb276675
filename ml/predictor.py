"""Classifies emails with a loaded artifact.

>>> Predictor(Path("var/models/starter")).predict("it", "VPN", "it is down again!!!")  # doctest: +SKIP
Scores(types=…, type='complaint', type_confidence=0.93, subtype='outage_complaint', …)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.artifact import load_artifact, load_centres
from ml.prototypes import prototype_scores, similarities
from ml.runtimes import Answer, load_runtime
from ml.scoring import Candidates, Scores, score
from ml.tokenizing import encode_email, load_tokenizer

Email = tuple[str, str, str]  # department, subject, body


@dataclass(frozen=True)
class NewSubtype:
    """A subtype that the model was not trained on, with a handful of texts (subject, body) that show it."""

    department: str
    slug: str
    type: str
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Department:
    slugs: tuple[str, ...]
    types: tuple[str, ...]
    examples: list[np.ndarray]  # of each subtype, (k, width) directions
    known: np.ndarray  # (m, width) centres of the trained subtypes


class Predictor:
    """A verified artifact on a runtime, ready to answer; safe to share between threads."""

    def __init__(self, folder: Path, runtime: str = "onnx"):
        self.artifact = load_artifact(folder)
        self.runtime = load_runtime(runtime, self.artifact)
        self._tokenizer = load_tokenizer(folder)
        self._centres = load_centres(self.artifact)
        self._new: dict[str, _Department] = {}

    @property
    def version(self) -> str:
        return self.artifact.version

    def predict(self, department: str, subject: str, body: str) -> Scores:
        """Score an email of a department; an unknown department gets a type and no subtype."""
        return self.predict_many([(department, subject, body)])[0]

    def predict_many(self, emails: Sequence[Email]) -> list[Scores]:
        """Score several emails: batched on a GPU, one after the other on a CPU."""
        answers = self.runtime.run([encode_email(self._tokenizer, *email) for email in emails])
        return [self._score(email[0], answer) for email, answer in zip(emails, answers, strict=True)]

    def learn(self, subtypes: Sequence[NewSubtype]) -> None:
        """Score these subtypes too, by their examples; replaces what was learnt before.

        Subtypes that the heads know and ones without an example are passed over, as are all with a
        model of an older format, which carries no centres.
        """
        space, found = self.artifact.space, {}
        for department in {s.department for s in subtypes} if self._centres else ():
            new = [
                s for s in subtypes
                if s.department == department and s.examples and (department, s.slug) not in space.index
            ]  # fmt: skip
            if new:
                found[department] = self._department(department, new)
        self._new = found  # in one step: other threads are predicting

    def _department(self, department: str, new: Sequence[NewSubtype]) -> _Department:
        assert self._centres is not None
        members = list(self.artifact.space.members.get(department, ()))
        texts = [(department, *example) for s in new for example in s.examples]
        answers = self.runtime.run([encode_email(self._tokenizer, *t) for t in texts])
        directions = self._centres.direction(np.stack([a.embedding for a in answers]))
        ends = np.cumsum([len(s.examples) for s in new])[:-1]
        return _Department(
            tuple(s.slug for s in new),
            tuple(s.type for s in new),
            np.split(directions, ends),
            self._centres.known[members],
        )

    def _score(self, department: str, answer: Answer) -> Scores:
        a = self.artifact
        return score(
            answer.types, answer.subtypes, department, a.space, a.calibration, self._candidates(department, answer)
        )

    def _candidates(self, department: str, answer: Answer) -> Candidates | None:
        new = self._new.get(department)
        if new is None or self._centres is None:
            return None
        x = self._centres.direction(answer.embedding[None])
        scores = prototype_scores(similarities(x, new.examples, new.known), self.artifact.calibration.prototypes)
        return Candidates(new.slugs, new.types, scores[0])
