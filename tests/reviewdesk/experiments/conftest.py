"""An admin's page with two models, and tests made and started on it."""

import pytest

from abtests.models import Experiment, Phase
from tests.classifier.test_registry import second  # noqa: F401
from tests.reviewdesk.experiments.helpers import FORM


@pytest.fixture
def page(client, admin, starter, second):  # noqa: F811
    client.force_login(admin)
    return client


@pytest.fixture
def made(page):
    def made(**fields) -> Experiment:
        answer = page.post("/experiments/make/", FORM | fields)
        assert answer.status_code == 302, answer.content.decode()
        return Experiment.objects.latest("pk")

    return made


@pytest.fixture
def running(made, page):
    def running(**fields) -> tuple[Experiment, Phase]:
        experiment = made(**fields)
        page.post(f"/experiments/{experiment.slug}/start/")
        experiment.refresh_from_db()
        return experiment, experiment.phases.get()

    return running
