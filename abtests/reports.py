"""What a test has shown: the figures of a phase, its verdict, and both as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum

from abtests.health import Check, Sample, broken, checks
from abtests.models import ARMS, A, Assignment, B, Experiment, Outcome, Phase
from abtests.queries import current_phase
from abtests.statistics import (
    MIN_LABELS,
    RATIO_ALPHA,
    Counts,
    Pairs,
    mcnemar_p_value,
    newcombe_interval,
    p_value,
    pair_evidence,
    ratio_p_value,
)
from abtests.verdict import Verdict, pairs_verdict, split_verdict

Metric = Outcome.Metric
LEAST_UNITS = 20
MEASURED = (Metric.CONFIDENCE, Metric.LATENCY, Metric.LOW, Metric.ERROR, Metric.EDIT)


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
    """All that is known of a test in one phase."""

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
    def planned(self) -> int:
        return self.phase.planned if self.phase else 0

    @property
    def labels(self) -> int:
        return self.labelled if self.pairs else sum(c.n for c in self.counts.values())

    @property
    def labels_left(self) -> int:
        """Of what was planned: labels, or in a shadow test those that the measured disagreement still asks for."""
        if self.pairs is None:
            return max(self.planned - self.labels, 0)
        rate = self.disagreed / self.scored if self.scored >= MIN_LABELS else self.experiment.disagreement
        return max(round(self.planned * rate) - self.labels, 0)

    @property
    def difference(self) -> float:
        """Accuracy of B less that of A."""
        return self.pairs.difference if self.pairs else self.counts[B].rate - self.counts[A].rate

    @property
    def disagreement(self) -> float | None:
        return self.disagreed / self.scored if self.pairs and self.scored else None

    @property
    def asked(self) -> bool:
        """As many as planned are labelled, or scored in a shadow test, where the disagreements are asked about to the last."""
        if self.pairs:
            return 0 < self.planned <= self.scored
        enough = min(c.n for c in self.counts.values()) >= MIN_LABELS  # in both arms, or nothing could be said of them
        return enough and 0 < self.planned <= self.labels


def result_phase(experiment: Experiment) -> Phase | None:
    """The last phase that asked for labels: what the test has shown, also while B is rolled out."""
    return experiment.phases.exclude(planned=0).order_by("-number").first()  # type: ignore[attr-defined]


def report(experiment: Experiment, phase: Phase | None = None) -> Report:
    """The figures of one phase alone, by default the current one; figures of two splits are never pooled."""
    phase = phase or current_phase(experiment)
    values = _values(phase)
    shadow = phase.shadow if phase else experiment.mode == Experiment.Mode.SHADOW
    counts = {arm: Counts(*values.get((Metric.CORRECT, arm), (0, 0))) for arm in ARMS}
    emails = {arm: values.get((Metric.CONFIDENCE, arm), (0, 0))[0] for arm in ARMS}
    scored, disagreed = values.get((Metric.DISAGREE, ""), (0, 0))
    pairs, labelled = _pairs(phase, scored, disagreed) if shadow else (None, 0)
    split = None if shadow or phase is None else _split(phase)
    found = checks({m: {arm: _sample(phase, m, arm) for arm in ARMS} for m in MEASURED}, experiment.guardrails)
    trouble = (phase.trouble if phase else "") or _trouble(split, found)
    planned = max(phase.planned if phase else 0, 1)
    ended = phase is None or phase.ended_at is not None
    if pairs:
        verdict = pairs_verdict(
            pairs, planned=planned, gain=experiment.gain, over=ended or pairs.scored >= planned, trouble=trouble,
            waiting=disagreed - labelled,
        )  # fmt: skip
    else:
        a, b = counts[A], counts[B]
        over = ended or a.n + b.n >= planned
        verdict = split_verdict(a, b, planned=planned, gain=experiment.gain, over=over, trouble=trouble)
    return Report(experiment, phase, split, counts, pairs, scored, disagreed, labelled, emails, found, trouble, verdict)


def result(experiment: Experiment, now: Report | None = None) -> Report:
    """The report of `result_phase`; `now`, that of the current phase, is taken where it is the same."""
    phase = result_phase(experiment)
    if now is not None and (phase is None or phase == now.phase):
        return now
    return report(experiment, phase)


def headline(experiment: Experiment) -> tuple[str, str]:
    """The status word and the sentence, as kept when the phase ended; two empty texts before there is a phase."""
    phase = result_phase(experiment)
    if phase is None:
        return "", ""
    if phase.ended_at is not None and phase.verdict:
        return phase.verdict, phase.sentence
    verdict = report(experiment, phase).verdict
    return verdict.status.value, verdict.sentence


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


def facts(experiment: Experiment) -> dict[str, Any]:
    """What a test is, as plain values."""
    e = experiment
    return {
        "slug": e.slug, "name": e.name, "mode": e.mode, "status": e.status, "control": e.control,
        "treatment": e.treatment, "departments": e.departments, "gain": e.gain,
        "started_at": e.started_at, "ended_at": e.ended_at,
    }  # fmt: skip


def figures(experiment: Experiment) -> dict[str, Any]:
    """The whole report as plain values, for JSON and the API.

    `phase`, `share`, `emails` and `guardrails` are of the current phase, the effect and the decision of the last that
    asked for labels; `phases` has all of them for each.
    """
    phases = list(experiment.phases.all())  # type: ignore[attr-defined]
    found = {phase.number: report(experiment, phase) for phase in phases}
    now = found[phases[-1].number] if phases else report(experiment)
    asking = [phase.number for phase in phases if not phase.stage]
    shown = found[asking[-1]] if asking else now
    return (
        facts(experiment)
        | _traffic(now)
        | _effect(shown)
        | {"phases": [_traffic(r) | ({} if r.phase and r.phase.stage else _effect(r)) for r in found.values()]}
    )


def _traffic(found: Report) -> dict[str, Any]:
    """Who got what, and how it did by what machines measure."""
    phase, split = found.phase, found.split
    return {
        "phase": phase.number if phase else None,
        "from": phase.started_at if phase else None,
        "until": phase.ended_at if phase else None,
        "share": {"configured": split.share, "actual": split.actual, "p_value": split.p} if split else None,
        "emails": found.emails,
        "guardrails": [
            {"metric": c.metric, "A": c.a, "B": c.b, "allowed": c.allowed, "state": c.state} for c in found.checks
        ],
        "trouble": found.trouble,
    }


def _effect(found: Report) -> dict[str, Any]:
    """What people's labels say."""
    verdict, pairs = found.verdict, found.pairs
    one_look: dict[str, Any] = {}
    if pairs:
        one_look["mcnemar_p_value"] = mcnemar_p_value(pairs.only_a, pairs.only_b)
        one_look["evidence"] = pair_evidence(pairs.only_a, pairs.only_b)
    elif all(c.n for c in found.counts.values()):
        a, b = found.counts[A], found.counts[B]
        one_look = {"p_value": p_value(a, b), "interval": newcombe_interval(a, b)}
    return {
        "arms": {
            arm: {"emails": found.emails[arm], "verified": c.n, "correct": c.correct}
            for arm, c in found.counts.items()
        },
        "pairs": {
            "scored": pairs.scored, "only_a": pairs.only_a, "only_b": pairs.only_b,
            "disagreement": found.disagreement, "labelled": found.labelled,
        } if pairs else None,
        "difference": found.difference,
        "always_valid_interval": verdict.interval,
        **one_look,
        "planned": found.planned, "labels": found.labels, "labels_left": found.labels_left,
        "decision": verdict.status.value, "reason": verdict.sentence, "labels_needed": verdict.labels_needed,
    }  # fmt: skip
