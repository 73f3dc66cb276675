"""The accuracy figure: weekly random samples only, always with its interval and n."""

from dataclasses import dataclass

from classifier.labels import confirmed
from classifier.models import Prediction, ReviewItem, SampleDraw, Source, Verification
from ml.intervals import wilson_interval


@dataclass(frozen=True)
class Estimate:
    """`correct` of `n` verified; `drawn` is how many the sample holds."""

    drawn: int
    n: int
    correct_type: int
    correct_subtype: int
    blind: int = 0  # of the answers, how many were given without seeing the model's

    @property
    def subtype(self) -> float | None:
        return self.correct_subtype / self.n if self.n else None

    @property
    def type(self) -> float | None:
        return self.correct_type / self.n if self.n else None

    @property
    def subtype_interval(self) -> tuple[float, float]:
        return wilson_interval(self.correct_subtype, self.n)

    @property
    def type_interval(self) -> tuple[float, float]:
        return wilson_interval(self.correct_type, self.n)


@dataclass(frozen=True)
class Week:
    draw: SampleDraw
    estimate: Estimate


def weeks(*, last: int = 12) -> list[Week]:
    """The latest weekly samples, newest first."""
    return [Week(draw, estimate(draw)) for draw in SampleDraw.objects.order_by("-week")[:last]]


def _same(said: Prediction, answer: Verification) -> bool:
    """By the subtypes as they are counted today: two that were merged since are one."""
    if said.subtype is None or answer.subtype is None:
        return said.type == answer.type and said.subtype_id == answer.subtype_id
    return said.subtype.final_id == answer.subtype.final_id


def _weight(answer: Verification) -> tuple:
    """A decision between answers counts before the answers; of those that are compared, the first."""
    decided = answer.source == Source.ADJUDICATION
    return decided, not answer.independent, -answer.pk if answer.independent else answer.pk


def estimate(draw: SampleDraw) -> Estimate:
    """Compare reviewers' answers with the predictions that were drawn; agents' corrections never count."""
    items = ReviewItem.objects.filter(draw=draw)
    emails = items.values("email")
    answers = (
        confirmed(Verification.objects.filter(email__in=emails))
        .select_related("subtype")
        .exclude(source__in=[Source.AGENT, Source.GOLD])
    )
    latest: dict[int, Verification] = {a.email_id: a for a in sorted(answers.order_by("pk"), key=_weight)}
    said = {i.email_id: i.prediction for i in items.select_related("prediction__subtype")}
    pairs = [(said[pk], answer) for pk, answer in latest.items()]
    return Estimate(
        drawn=len(said),
        n=len(pairs),
        correct_type=sum(p.type == a.type for p, a in pairs),
        correct_subtype=sum(_same(p, a) for p, a in pairs),
        blind=sum(a.blind for _, a in pairs),
    )
