"""Reads tests: which are active, in which phase; and compares two models once."""

from dataclasses import dataclass

from abtests.models import Experiment, Phase
from abtests.statistics import Pairs, matched_interval, mcnemar_p_value, shadow_plan
from reviewdesk.backends import Remembered

ACTIVE = (Experiment.Status.RUNNING, Experiment.Status.ROLLOUT)


@dataclass(frozen=True)
class Active:
    """An active test as every process remembers it for two seconds."""

    experiment: Experiment
    phase: Phase


def _read() -> list[Active]:
    found = Experiment.objects.filter(status__in=ACTIVE)
    return [Active(e, phase) for e in found if (phase := current_phase(e)) is not None]


active = Remembered(_read, seconds=2.0)


def current_phase(experiment: Experiment) -> Phase | None:
    """The phase that runs, or the last that did."""
    return experiment.phases.order_by("-number").first()  # type: ignore[attr-defined]


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
