"""What a worker does with tests by itself, and what traffic they are planned with."""

from datetime import timedelta

from django.utils import timezone

from abtests.models import Phase
from abtests.reports import report
from abtests.services import Metric
from classifier.models import ModelVersion, Prediction
from classifier.registry.services import promote
from reviewdesk.experiments import services, watching
from tests.abtests.helpers import measure
from tests.factories import make_classified, make_version
from tests.reviewdesk.experiments.helpers import WHY, long_ago


def test_a_split_test_that_hurts_is_ended_by_itself_and_a_shadow_is_only_marked(running):
    experiment, phase = running()
    measure(phase, "A", 300)
    measure(phase, "B", 300, **{Metric.LATENCY: lambda k: 40.0})
    watching.watch()
    experiment.refresh_from_db()
    assert (experiment.status, "latency" in report(experiment).trouble) == ("ended", True)


def test_a_test_starts_and_ends_when_it_is_due(made):
    experiment = made(starts_at="2026-01-05T08:00")
    watching.watch()
    experiment.refresh_from_db()
    assert experiment.status == "running"
    Phase.objects.update(started_at=timezone.now() - timedelta(weeks=5))
    watching.watch()
    experiment.refresh_from_db()
    assert experiment.status == "ended"


def test_one_that_cannot_start_when_it_is_due_says_why_once(made, second):
    experiment = made(starts_at="2026-01-05T08:00")
    promote(version=second)
    watching.watch()
    watching.watch()
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


def test_a_split_that_is_edited_gets_its_own_plan_and_its_own_weeks(page, running):
    experiment, phase = running()
    long_ago(phase)
    page.post(f"/experiments/{experiment.slug}/split/", {"share": "20"})
    changed = experiment.phases.get(number=2)
    assert (changed.planned, changed.sample_a, changed.sample_b) == (15_400, 0.25, 1.0)
    experiment.refresh_from_db()
    assert watching.ends_at(experiment, changed) == changed.started_at + timedelta(weeks=4)
    refused = page.post(f"/experiments/{experiment.slug}/split/", {"share": "20"})
    assert (refused.status_code, experiment.phases.count()) == (400, 2)


def test_sampling_stops_when_as_many_as_planned_are_labelled(page, running):
    experiment, phase = running()
    Phase.objects.update(planned=200)
    for arm in "AB":
        measure(phase, arm, 100, labelled=100, correct=80)
    watching.watch()
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


def test_open_pages_of_a_test_ask_little_of_the_database(page, running, django_assert_max_num_queries):
    experiment, _ = running(mode="shadow")
    page.get("/experiments/")
    with django_assert_max_num_queries(30):
        page.get(f"/experiments/{experiment.slug}/live/")
    page.post(f"/experiments/{experiment.slug}/end/")
    with django_assert_max_num_queries(12):
        page.get("/experiments/")
