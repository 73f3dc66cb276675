"""Whether a model was right, by what people answered: for the accuracy figure and for tests between versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from classifier.labels import confirmed
from classifier.models import Prediction, Source, Verification, WithoutSubtype

LOW_CONFIDENCE = 0.5  # subtype confidence counted as low in figures
CHUNK = 10_000  # emails a query: SQLite takes some 32,000 parameters


@dataclass(frozen=True)
class Judged:
    """An email that a person answered, and what the model had said."""

    email: int
    said: Prediction
    answer: Verification

    @property
    def right_type(self) -> bool:
        return self.said.type == self.answer.type

    @property
    def decides_subtype(self) -> bool:
        """Whether the answer says if the predicted subtype is right. Who gave the type alone, undecided about the
        subtype, has not said so; who found that no subtype fits has."""
        undecided = self.answer.without_subtype == WithoutSubtype.UNDECIDED
        return not undecided or not self.right_type

    @property
    def right(self) -> bool:
        """By the subtypes as they are counted today: two that were merged since are one."""
        if self.said.subtype is None or self.answer.subtype is None:
            return self.right_type and self.said.subtype_id == self.answer.subtype_id
        return self.said.subtype.final_id == self.answer.subtype.final_id


def judged(said: dict[int, Prediction], *, until: datetime | None = None) -> list[Judged]:
    """Of predictions by email, those whose email a reviewer has answered, by `until` where it is given.

    Agents' corrections and labels that came with the mail never count.
    """
    return [Judged(pk, said[pk], answer) for pk, answer in answers_to(list(said), until=until).items()]


def answers_to(emails: Sequence[int], *, until: datetime | None = None) -> dict[int, Verification]:
    """Email id → what reviewers answered, by `until` where it is given."""
    found: list[Verification] = []
    for start in range(0, len(emails), CHUNK):
        answers = confirmed(Verification.objects.filter(email__in=emails[start : start + CHUNK]))
        answers = answers.exclude(source__in=[Source.AGENT, Source.GOLD]).select_related("subtype").order_by("pk")
        found += answers if until is None else answers.filter(created_at__lte=until)
    return {a.email_id: a for a in sorted(found, key=_weight)}


def _weight(answer: Verification) -> tuple:
    """A decision between answers counts before the answers; of those that are compared, the first."""
    decided = answer.source == Source.ADJUDICATION
    return decided, not answer.independent, -answer.pk if answer.independent else answer.pk
