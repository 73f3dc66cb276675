"""Tests of a desk of before: their plan and their trouble go to the phases."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from abtests.models import Experiment, Phase
from abtests.reports import report


@pytest.fixture
def earlier(transactional_db):
    """The tables as they were, and back at the end."""
    executor = MigrationExecutor(connection)
    yield executor.migrate([("abtests", "0002_disagreement")]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_plans_and_trouble_of_an_earlier_desk_are_those_of_its_phases(earlier):
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
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    first, stage = Phase.objects.order_by("number")
    assert (first.planned, first.trouble, first.stage) == (400, "", False)
    assert (stage.planned, stage.trouble, stage.stage) == (0, "It failed.", True)
    assert report(Experiment.objects.get()).trouble == "It failed."
