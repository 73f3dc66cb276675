"""Tests between models on their pages: made, started, watched, changed, downloaded."""

import csv
import json

import pytest

from abtests.models import Experiment
from abtests.services import Metric, record_outcomes
from classifier.models import ModelVersion
from classifier.registry.services import promote
from reviewdesk.errors import DeskError
from reviewdesk.experiments import services
from tests.abtests.helpers import b_wins
from tests.factories import make_classified
from tests.reviewdesk.experiments.helpers import FORM


def test_without_a_second_model_there_is_nothing_to_compare(client, admin, starter):
    client.force_login(admin)
    assert "Nothing to compare" in client.get("/experiments/").content.decode()
    assert "needs a second model" in client.get("/experiments/new/").content.decode()


def test_a_plan_is_computed_as_one_types(page):
    for _ in range(8):
        make_classified()
    said = page.get("/experiments/plan/", FORM | {"mode": "shadow", "disagreement": "6"}).content.decode()
    assert "show a gain of 2.0% four times in five" in said
    assert page.get("/experiments/plan/", FORM | {"gain": "0"}).status_code == 400
    bad = page.get("/experiments/plan/", FORM | {"mode": "shadow", "disagreement": "1"})
    assert (bad.status_code, "allowed: a gain of at most that share" in bad.content.decode()) == (400, True)


def test_a_test_is_made_started_and_marks_its_model(page, running):
    experiment, phase = running()
    assert (experiment.status, phase.share, phase.planned) == ("running", 0.5, 15_400)
    assert ModelVersion.objects.get(version="second").state == "testing"
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "collecting" in said
    assert "Too early to compare: 0 of the first 50 labels an arm are in" in said
    assert "Second" in page.get("/experiments/").content.decode()


def test_what_is_not_watched_is_left_empty(made):
    experiment = made(guard_latency_ratio="", guard_latency_ms="80")
    assert experiment.guardrails == {"latency_ratio": None, "latency_ms": 80.0}


def test_a_control_that_does_not_serve_is_refused(page, made, second):
    experiment = made()
    promote(version=second)
    answer = page.post(f"/experiments/{experiment.slug}/start/")
    assert answer.status_code == 400
    assert "starter is not in production, second is" in answer.content.decode()


def test_a_treatment_whose_files_are_corrupt_is_refused(page, made, settings):
    experiment = made()
    (settings.MODELS_DIR / "second" / "model.onnx").unlink()
    assert "model.onnx is missing" in page.post(f"/experiments/{experiment.slug}/start/").content.decode()
    experiment.refresh_from_db()
    assert experiment.status == "draft"


def test_the_live_page_shows_effect_guardrails_and_split(page, running):
    experiment, phase = running()
    b_wins(phase)
    said = page.get(f"/experiments/{experiment.slug}/live/").content.decode()
    assert "ready: deploy B" in said
    assert "+25.0 pts" in said
    assert "hold, 1 too early to judge" in said, "no draft was edited"
    assert "Effect so far" in said and 'class="whisker"' in said


def test_the_report_is_downloaded(page, running):
    experiment, phase = running(mode="shadow")
    for k in range(60):
        for arm in "AB":
            record_outcomes(phase=phase.pk, subject=str(k), arm=arm, values={Metric.CONFIDENCE: 0.8})
        record_outcomes(phase=phase.pk, subject=str(k), arm="", values={Metric.DISAGREE: float(k < 6)})
    found = json.loads(page.get(f"/experiments/{experiment.slug}/report.json").content)
    assert (found["pairs"]["disagreement"], found["decision"]) == (0.1, "collecting")
    rows = dict(csv.reader(page.get(f"/experiments/{experiment.slug}/report.csv").content.decode().splitlines()))
    assert rows["pairs.disagreement"] == "0.1"
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "they differ on 10.0%" in said


def test_a_split_is_edited_on_the_page(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/split/", {"share": "20"})
    assert list(experiment.phases.values_list("share", flat=True)) == [0.5, 0.2]


def test_a_model_that_is_unknown_is_refused(made, starter):
    with pytest.raises(DeskError, match="'third' is unknown"):
        services.start(experiment=made(treatment="third"))


def test_the_disagreement_that_was_planned_with_is_kept(made, page):
    experiment = made(mode="shadow", disagreement="15", gain="8")
    assert experiment.disagreement == 0.15
    assert page.get(f"/experiments/{experiment.slug}/").status_code == 200
    bad = page.post("/experiments/make/", FORM | {"mode": "shadow", "disagreement": "2", "gain": "8"})
    assert (bad.status_code, Experiment.objects.count()) == (400, 1)
