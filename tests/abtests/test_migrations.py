"""Tests of a desk of before: their plan and their trouble go to the phases."""

from django.utils import timezone

from abtests.models import Experiment, Phase
from abtests.reports import report


def test_plans_and_trouble_of_an_earlier_desk_are_those_of_its_phases(as_of):
    earlier = as_of("abtests", "0002_disagreement")
    old = earlier.get_model("abtests", "Experiment").objects.create(
        name="Old",
        slug="old",
        mode="split",
        control="a",
        treatment="b",
        planned=400,
        status="rollout",
        trouble="It failed.",
    )
    phases = earlier.get_model("abtests", "Phase").objects
    phases.create(experiment=old, number=1, share=0.5, sample_a=0.2, sample_b=0.2, started_at=timezone.now())
    phases.create(experiment=old, number=2, share=0.1, started_at=timezone.now())
    as_of()
    first, stage = Phase.objects.order_by("number")
    assert (first.planned, first.trouble, first.stage) == (400, "", False)
    assert (stage.planned, stage.trouble, stage.stage) == (0, "It failed.", True)
    assert report(Experiment.objects.get()).trouble == "It failed."
