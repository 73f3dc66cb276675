"""Tests of `starter` against `second`, and a B that contradicts."""

from dataclasses import replace

import pytest

from abtests import lifecycle
from abtests.models import Experiment
from abtests.planning import Plan
from classifier.prediction import arms
from classifier.registry import testing
from tests.classifier.arms.helpers import OTHER
from tests.classifier.test_registry import second  # noqa: F401


@pytest.fixture(autouse=True)
def _nothing_loaded():
    testing.forget()
    yield
    testing.forget()


@pytest.fixture
def test_of(starter, second, admin):  # noqa: F811
    """Start a test of `starter` against `second`."""

    def start(*, sample: float = 1.0, **fields) -> Experiment:
        defaults = {"name": "Second", "mode": "split", "control": "starter", "treatment": "second", "share": 0.5}
        experiment = lifecycle.create(by=admin, **{**defaults, **fields})
        plan = Plan(planned=100, labels=100, weeks=1, sentence="", sample_a=sample, sample_b=sample)
        lifecycle.start(experiment=experiment, plan=plan, by=admin)
        return experiment

    return start


@pytest.fixture
def contrary(monkeypatch):
    """B says `OTHER` about everything."""
    real = arms.version_under_test

    def differ(name):
        serving = real(name)

        class Contrary:
            runtime = serving.predictor.runtime

            def predict(self, *email):
                found = serving.predictor.predict(*email)
                return replace(found, type="query", subtype=OTHER)

        return replace(serving, predictor=Contrary())

    monkeypatch.setattr(arms, "version_under_test", differ)
