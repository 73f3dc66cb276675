"""Tests that are made, and that run."""

import pytest

from abtests import lifecycle
from abtests.models import Experiment, Phase
from tests.abtests.helpers import PLAN


@pytest.fixture
def make(admin):
    def make(**fields) -> Experiment:
        defaults = {"name": "Newer heads", "mode": "split", "control": "old", "treatment": "new", "share": 0.5}
        return lifecycle.create(by=admin, **{**defaults, **fields})

    return make


@pytest.fixture
def running(make, admin):
    def running(**fields) -> tuple[Experiment, Phase]:
        experiment = make(**fields)
        phase = lifecycle.start(experiment=experiment, plan=PLAN, by=admin)
        experiment.refresh_from_db()
        return experiment, phase

    return running
