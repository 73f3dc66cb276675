"""Reads tests: which are active, and what each has shown so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Sum

from abtests.health import Check, Sample, broken, checks
from abtests.models import ARMS, A, Assignment, B, Experiment, Outcome, Phase
from abtests.statistics import (
    RATIO_ALPHA,
    Counts,
    Pairs,
    matched_interval,
    mcnemar_p_value,
    newcombe_interval,
    p_value,
    pair_evidence,
    ratio_p_value,
    shadow_plan,
)
from abtests.verdict import Verdict, pairs_verdict, split_verdict
from reviewdesk.backends import Remembered

Metric = Outcome.Metric
LEAST_UNITS = 20
MEASURED = (Metric.CONFIDENCE, Metric.LATENCY, Metric.LOW, Metric.ERROR, Metric.EDIT)


@dataclass(frozen=True)
class Active:
    """An active test as every process remembers it for two seconds."""

    experiment: Experiment
    phase: Phase


def _read() -> list[Active]:
    found = Experiment.objects.filter(status__in=[Experiment.Status.RUNNING, Experiment.Status.ROLLOUT])
    return [Active(e, phase) for e in found if (phase := current_phase(e)) is not None]


active = Remembered(_read, seconds=2.0)


def current_phase(experiment: Experiment) -> Phase | None:
    """The phase that runs, or the last that did."""
    return experiment.phases.order_by("-number").first()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Split:
    """Units first assigned in a phase against what was configured."""

    units: dict[str, int]
    share: float
    p: float

    @property
    def actual(self) -> float | None:
        total = sum(self.units.values())
        return self.units[B] / total if total else None

    @property
    def mismatch(self) -> bool:
        """From LEAST_UNITS expected in each arm: of fewer the chi-square test says nothing."""
        least = sum(self.units.values()) * min(self.share, 1 - self.share)
        return least >= LEAST_UNITS and self.p < RATIO_ALPHA


@dataclass(frozen=True)
class Report:
    """All that is known of a test in its current phase."""

    experiment: Experiment
    phase: Phase | None
    split: Split | None  # None in a shadow test
    counts: dict[str, Counts]  # verified emails by arm; of a shadow test none
    pairs: Pairs | None  # None in a split test
    scored: int  # emails, by both arms
    disagreed: int
    labelled: int  # of the emails that the arms disagree on
    emails: dict[str, int]
    checks: Sequence[Check]
    trouble: str
    verdict: Verdict

    @property
    def labels(self) -> int:
        return self.labelled if self.pairs else sum(c.n for c in self.counts.values())

    @property
    def labels_left(self) -> int:
        """Of what was planned: labels, or in a shadow test those that the measured disagreement still asks for."""
        planned = self.experiment.planned
        if self.pairs is None:
            return max(planned - self.labels, 0)
        rate = self.disagreed / self.scored if self.scored else 0.0
        return max(round(planned * rate) - self.labels, 0)

    @property
    def difference(self) -> float:
        """Accuracy of B less that of A."""
        return self.pairs.difference if self.pairs else self.counts[B].rate - self.counts[A].rate

    @property
    def disagreement(self) -> float | None:
        return self.disagreed / self.scored if self.pairs and self.scored else None


def report(experiment: Experiment) -> Report:
    """The figures of the current phase alone; other splits are other phases."""
    phase = current_phase(experiment)
    values = _values(phase)
    shadow = phase.shadow if phase else experiment.mode == Experiment.Mode.SHADOW
    counts = {arm: Counts(*values.get((Metric.CORRECT, arm), (0, 0))) for arm in ARMS}
    emails = {arm: values.get((Metric.CONFIDENCE, arm), (0, 0))[0] for arm in ARMS}
    scored, disagreed = values.get((Metric.DISAGREE, ""), (0, 0))
    pairs, labelled = _pairs(phase, scored, disagreed) if shadow else (None, 0)
    split = None if shadow or phase is None else _split(phase)
    found = checks({m: {arm: _sample(phase, m, arm) for arm in ARMS} for m in MEASURED}, experiment.guardrails)
    trouble = experiment.trouble or _trouble(split, found)
    over = not experiment.active or _reached(experiment, counts, scored)
    planned = max(experiment.planned, 1)
    if pairs:
        verdict = pairs_verdict(pairs, planned=planned, gain=experiment.gain, over=over, trouble=trouble)
    else:
        a, b = counts[A], counts[B]
        verdict = split_verdict(a, b, planned=planned, gain=experiment.gain, over=over, trouble=trouble)
    return Report(experiment, phase, split, counts, pairs, scored, disagreed, labelled, emails, found, trouble, verdict)


def _reached(experiment: Experiment, counts: dict[str, Counts], scored: int) -> bool:
    if experiment.mode == Experiment.Mode.SHADOW:
        return scored >= experiment.planned
    return sum(c.n for c in counts.values()) >= experiment.planned


def _values(phase: Phase | None) -> dict[tuple[str, str], tuple[int, int]]:
    """How many outcomes of a metric in an arm, and their sum, rounded for those that are counts."""
    rows = Outcome.objects.filter(phase=phase).values_list("metric", "arm").annotate(n=Count("pk"), total=Sum("value"))
    return {(metric, arm): (n, round(total)) for metric, arm, n, total in rows.order_by()}


def _pairs(phase: Phase | None, scored: int, disagreed: int) -> tuple[Pairs, int]:
    """Emails whose disagreement waits for a label are left out, with as large a share of those that agree."""
    rows = dict(
        Outcome.objects.filter(phase=phase, metric=Metric.PAIR).values_list("value").annotate(n=Count("pk")).order_by()
    )
    labelled = sum(rows.values())
    seen = round(scored * labelled / disagreed) if disagreed else scored
    return Pairs(scored=seen, only_a=rows.get(-1.0, 0), only_b=rows.get(1.0, 0)), labelled


def _split(phase: Phase) -> Split:
    counted = Assignment.objects.filter(phase=phase).values_list("arm").annotate(n=Count("pk")).order_by()
    units = dict.fromkeys(ARMS, 0) | dict(counted)
    return Split(units, phase.share, ratio_p_value([units[A], units[B]], [1 - phase.share, phase.share]))


def _sample(phase: Phase | None, metric: str, arm: str) -> Sample:
    return Sample.of(Outcome.objects.filter(phase=phase, metric=metric, arm=arm), quantile=metric == Metric.LATENCY)


def _trouble(split: Split | None, found: Sequence[Check]) -> str:
    if split is not None and split.mismatch:
        return (
            f"B has {split.actual:.1%} of the units where {split.share:.1%} was set (p = {split.p:.1g}): "
            "the assignment is not what was configured."
        )
    worse = broken(found)
    return f"Guardrail broken: {worse[0].said}." if worse else ""


@dataclass(frozen=True)
class OneLook:
    """Two models on the same rows, compared once; `needed`: rows that would show such a difference, None for none."""

    difference: float
    interval: tuple[float, float]
    p_value: float
    needed: int | None


def one_look(*, rows: int, only_a: int, only_b: int) -> OneLook:
    """B against A where, of `rows`, one model alone was right on `only_a` and `only_b`."""
    pairs = Pairs(scored=rows, only_a=only_a, only_b=only_b)
    needed = None
    if pairs.difference:
        needed = shadow_plan((only_a + only_b) / rows, pairs.difference, any_look=False).scored
    return OneLook(pairs.difference, matched_interval(pairs), mcnemar_p_value(only_a, only_b), needed)


def figures(found: Report) -> dict:
    """The whole report as plain values, for JSON and the API."""
    e, verdict = found.experiment, found.verdict
    one_look: dict = {}
    if found.pairs:
        p = found.pairs
        one_look = {
            "mcnemar_p_value": mcnemar_p_value(p.only_a, p.only_b),
            "evidence": pair_evidence(p.only_a, p.only_b),
        }
    elif all(c.n for c in found.counts.values()):
        a, b = found.counts[A], found.counts[B]
        one_look = {"p_value": p_value(a, b), "interval": newcombe_interval(a, b)}
    pairs = found.pairs
    return {
        "slug": e.slug, "name": e.name, "mode": e.mode, "status": e.status,
        "control": e.control, "treatment": e.treatment, "departments": e.departments,
        "phase": found.phase.number if found.phase else None,
        "share": {"configured": found.split.share, "actual": found.split.actual, "p_value": found.split.p} if found.split else None,
        "emails": found.emails,
        "arms": {arm: {"emails": found.emails[arm], "verified": c.n, "correct": c.correct} for arm, c in found.counts.items()},
        "pairs": {"scored": pairs.scored, "only_a": pairs.only_a, "only_b": pairs.only_b, "disagreement": found.disagreement, "labelled": found.labelled} if pairs else None,
        "difference": found.difference,
        "always_valid_interval": verdict.interval,
        **one_look,
        "gain": e.gain, "planned": e.planned, "labels": found.labels, "labels_left": found.labels_left,
        "guardrails": [{"metric": c.metric, "A": c.a, "B": c.b, "allowed": c.allowed, "broken": c.broken} for c in found.checks],
        "decision": verdict.status.value, "reason": verdict.sentence, "labels_needed": verdict.labels_needed,
    }  # fmt: skip
