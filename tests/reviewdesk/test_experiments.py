"""Tests between models on their pages: made, started, watched, rolled out, rolled back; and what a worker does by itself."""

import csv
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from abtests.models import Experiment, Phase
from abtests.reports import report
from abtests.services import Metric, record_outcomes
from classifier.models import ModelAlias, ModelVersion, Prediction
from classifier.registry.services import promote
from reviewdesk.errors import DeskError
from reviewdesk.experiments import services
from reviewdesk.people.services import create_token
from tests.abtests.helpers import measure
from tests.classifier.test_registry import second  # noqa: F401
from tests.factories import make_classified, make_version

FORM = {
    "name": "Second",
    "mode": "split",
    "control": "starter",
    "treatment": "second",
    "gain": "2",
    "share": "50",
    "weeks": "4",
}
WHY = {"reason": "we trust it"}


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


def production() -> str:
    return ModelAlias.objects.get(name="production").version.version


def long_ago(phase: Phase) -> None:
    Phase.objects.filter(pk=phase.pk).update(started_at=timezone.now() - timedelta(days=2))


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


def test_a_control_that_does_not_serve_is_refused(page, made, second):  # noqa: F811
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
    measure(phase, "A", 300, labelled=300, correct=210)
    measure(phase, "B", 300, labelled=300, correct=285)
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


def test_a_rollout_waits_at_its_gate_then_ends_in_production_and_goes_back_by_one_click(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    early = page.post(f"/experiments/{experiment.slug}/rollout/")
    assert (early.status_code, "24 more hours" in early.content.decode()) == (400, True)
    for number, share in ((2, 0.1), (3, 0.5)):
        stage = experiment.phases.get(number=number)
        assert stage.share == share
        measure(stage, "A", 210)
        measure(stage, "B", 210)
        services.watch()
        assert experiment.phases.count() == number, "not before a day is over"
        long_ago(stage)
        services.watch()
    experiment.refresh_from_db()
    assert (experiment.status, production()) == ("deployed", "second")
    assert "second answers everything" in page.get(f"/experiments/{experiment.slug}/").content.decode()
    page.post(f"/experiments/{experiment.slug}/rollback/", {"reason": "customers complain"})
    experiment.refresh_from_db()
    assert (experiment.status, production()) == ("rolled_back", "starter")
    ledger = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert ledger.count("next stage") == 1 and "customers complain" in ledger


def test_a_held_rollout_stays(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    page.post(f"/experiments/{experiment.slug}/hold/", {"held": "1"})
    stage = experiment.phases.get(number=2)
    measure(stage, "A", 210)
    measure(stage, "B", 210)
    long_ago(stage)
    services.watch()
    assert experiment.phases.count() == 2
    page.post(f"/experiments/{experiment.slug}/hold/", {"held": ""})
    services.watch()
    assert experiment.phases.count() == 3


def test_a_broken_guardrail_rolls_back_by_itself(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    measure(stage, "A", 300)
    measure(stage, "B", 300, **{Metric.ERROR: lambda k: float(k % 5 == 0)})
    services.watch()
    experiment.refresh_from_db()
    assert experiment.status == "rolled_back"
    assert "error rate is up by 20.0 points" in experiment.trouble


def test_a_split_test_that_hurts_is_ended_by_itself_and_a_shadow_is_only_marked(running):
    experiment, phase = running()
    measure(phase, "A", 300)
    measure(phase, "B", 300, **{Metric.LATENCY: lambda k: 40.0})
    services.watch()
    experiment.refresh_from_db()
    assert (experiment.status, "latency" in report(experiment).trouble) == ("ended", True)


def test_a_test_starts_and_ends_when_it_is_due(made):
    experiment = made(starts_at="2026-01-05T08:00")
    services.watch()
    experiment.refresh_from_db()
    assert experiment.status == "running"
    Phase.objects.update(started_at=timezone.now() - timedelta(weeks=5))
    services.watch()
    experiment.refresh_from_db()
    assert experiment.status == "ended"


def test_one_that_cannot_start_when_it_is_due_says_why_once(made, second):  # noqa: F811
    experiment = made(starts_at="2026-01-05T08:00")
    promote(version=second)
    services.watch()
    services.watch()
    experiment.refresh_from_db()
    assert (experiment.status, experiment.starts_at) == ("draft", None)
    assert experiment.trouble.startswith("It did not start: starter is not in production")


def test_traffic_counts_mail_in_force_and_answers_of_reviewers(db):
    email = make_classified()
    Prediction.objects.create(
        email=email, department=email.department, model_version=make_version("shadow"), runtime="onnx", type="query",
        type_confidence=1, subtype_confidence=1, threshold=0, withheld=False, latency_ms=1,
    )  # fmt: skip
    assert services.traffic([]).emails == 0.25
    assert services.traffic(["hr"]).emails == 0


def test_a_model_that_is_unknown_is_refused(made, starter):
    with pytest.raises(DeskError, match="'third' is unknown"):
        services.start(experiment=made(treatment="third"))


def test_the_api_shows_starts_ends_and_rolls_back(client, made, admin):
    experiment = made()
    client.logout()
    headers = {"Authorization": f"Bearer {create_token(user=admin)}"}

    def post(action: str, **data):
        address = f"/api/v1/experiments/{experiment.slug}/{action}"
        return client.post(address, data, content_type="application/json", headers=headers)

    assert post("start").json()["status"] == "running"
    assert client.get("/api/v1/experiments", headers=headers).json()["experiments"][0]["slug"] == "second"
    assert post("end", reason="enough").json()["status"] == "ended"
    refused = post("rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_the_disagreement_that_was_planned_with_is_kept(made, page):
    experiment = made(mode="shadow", disagreement="15", gain="8")
    assert experiment.disagreement == 0.15
    assert page.get(f"/experiments/{experiment.slug}/").status_code == 200
    bad = page.post("/experiments/make/", FORM | {"mode": "shadow", "disagreement": "2", "gain": "8"})
    assert (bad.status_code, Experiment.objects.count()) == (400, 1)


def test_the_gate_waits_until_latency_can_be_judged(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    for arm in "AB":
        measure(stage, arm, 150)
    long_ago(stage)
    services.watch()
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "waits for latency to be judged: 150 of 200 emails an arm" in said
    assert experiment.phases.count() == 2
    for arm in "AB":
        measure(stage, arm, 200)
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "No guardrail is broken; edit distance of drafts cannot be judged yet; the next stage may begin." in said
    services.watch()
    assert experiment.phases.count() == 3


def test_a_rollout_without_a_verdict_asks_for_a_reason(page, running):
    experiment, phase = running()
    refused = page.post(f"/experiments/{experiment.slug}/rollout/")
    assert (refused.status_code, "Say why B is rolled out all the same" in refused.content.decode()) == (400, True)
    measure(phase, "A", 300, labelled=300, correct=210)
    measure(phase, "B", 300, labelled=300, correct=285)
    page.post(f"/experiments/{experiment.slug}/rollout/")
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "The test had shown" in said and "+25.0 pts" in said and "Earlier phases" in said


def test_a_split_that_is_edited_gets_its_own_plan_and_its_own_weeks(page, running):
    experiment, phase = running()
    long_ago(phase)
    page.post(f"/experiments/{experiment.slug}/split/", {"share": "20"})
    changed = experiment.phases.get(number=2)
    assert (changed.planned, changed.sample_a, changed.sample_b) == (15_400, 0.25, 1.0)
    experiment.refresh_from_db()
    assert services.ends_at(experiment, changed) == changed.started_at + timedelta(weeks=4)
    refused = page.post(f"/experiments/{experiment.slug}/split/", {"share": "20"})
    assert (refused.status_code, experiment.phases.count()) == (400, 2)


def test_sampling_stops_when_as_many_as_planned_are_labelled(page, running):
    experiment, phase = running()
    Phase.objects.update(planned=200)
    for arm in "AB":
        measure(phase, arm, 100, labelled=100, correct=80)
    services.watch()
    phase.refresh_from_db()
    assert phase.complete
    assert "nobody is asked about more" in page.get(f"/experiments/{experiment.slug}/").content.decode()


def test_after_a_test_its_model_is_a_candidate_again(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/end/", {"reason": "enough"})
    assert ModelVersion.objects.get(version="second").state == "candidate"
    page.post(f"/experiments/{experiment.slug}/start/")
    assert ModelVersion.objects.get(version="second").state == "testing"
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    page.post(f"/experiments/{experiment.slug}/rollback/")
    assert ModelVersion.objects.get(version="second").state == "candidate"


def test_a_rollback_after_a_rollout_puts_the_control_back_whatever_served_before(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    Experiment.objects.update(status="deployed")
    promote(version=ModelVersion.objects.get(version="second"))
    ModelAlias.objects.filter(name="previous").delete()
    page.post(f"/experiments/{experiment.slug}/rollback/")
    assert production() == "starter"


def test_open_pages_of_a_test_ask_little_of_the_database(page, running, django_assert_max_num_queries):
    experiment, _ = running(mode="shadow")
    page.get("/experiments/")
    with django_assert_max_num_queries(30):
        page.get(f"/experiments/{experiment.slug}/live/")
    page.post(f"/experiments/{experiment.slug}/end/")
    with django_assert_max_num_queries(12):
        page.get("/experiments/")
