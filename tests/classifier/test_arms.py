"""Mail under a test between two versions: who answers it, who is asked about it, what happens when B cannot."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from abtests import lifecycle, services
from abtests.models import Assignment, Experiment, Outcome
from abtests.planning import Plan
from abtests.reports import report
from classifier.accuracy.sampling import close_draws, draw_weekly_sample
from classifier.models import Department, Email, Prediction, ReviewItem, Source
from classifier.prediction import arms
from classifier.registry import testing
from classifier.registry.services import promote
from classifier.review import leases
from classifier.review.experiments import judge_email
from classifier.review.opening import open_for_experiment
from classifier.review.services import undo, verify
from ml.errors import ArtifactError
from reviewdesk import workflow
from reviewdesk.experiments import watching as experiments
from tests.classifier.test_registry import second  # noqa: F401
from tests.classifier.test_review import answer
from tests.factories import make_department, make_email, make_item

BODY = "The invoice module has been down since nine, nobody in the office can work. Fix it now!"
OTHER = "access_request_query"


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


def receive(n: int = 1) -> list[Email]:
    emails = [make_email(subject=f"Down {k}", body=BODY) for k in range(n)]
    workflow.process(ids=[e.pk for e in emails])
    return list(Email.objects.filter(pk__in=[e.pk for e in emails]).order_by("pk"))


def test_without_a_test_production_answers(starter):
    (email,) = receive()
    assert email.prediction.model_version == starter
    assert not Outcome.objects.exists()


def test_in_a_split_test_each_arm_answers_its_threads(test_of):
    experiment = test_of()
    emails = receive(16)
    arm = dict(Assignment.objects.values_list("unit", "arm"))
    assert {arm[f"thread:{e.thread_id}"] for e in emails} == {"A", "B"}
    for e in emails:
        assert e.prediction.model_version.version == {"A": "starter", "B": "second"}[arm[f"thread:{e.thread_id}"]]
    found = report(experiment)
    assert sum(found.emails.values()) == 16
    assert sum(found.split.units.values()) == 16
    assert {i.source for i in ReviewItem.objects.all()} == {"experiment"}
    assert all(i.blind for i in ReviewItem.objects.all())


def test_a_sample_of_an_arm_is_labelled_and_the_answers_count(test_of, reviewer):
    experiment = test_of()
    receive(4)
    for k in range(4):
        item = leases.claim_next(user=reviewer)
        subtype = "outage_complaint" if k else OTHER
        kind = "complaint" if k else "query"
        verify(item=item, user=reviewer, answer=answer(item, type=kind, subtype=subtype))
    counts = report(experiment).counts
    assert sum(c.n for c in counts.values()) == 4
    assert sum(c.correct for c in counts.values()) == 3
    undo(user=reviewer)
    assert sum(c.n for c in report(experiment).counts.values()) == 3


def test_emails_outside_of_the_sample_are_not_asked_about(test_of):
    test_of(sample=0.0)
    receive(3)
    assert not ReviewItem.objects.exists()


def test_a_shadow_scores_unseen_and_people_judge_where_it_differs(test_of, contrary, reviewer):
    experiment = test_of(mode="shadow")
    (email,) = receive()
    assert (email.prediction.model_version.version, email.subtype.slug) == ("starter", "outage_complaint")
    shadow = Prediction.objects.get(model_version__version="second")
    assert (shadow.email, shadow.subtype.slug) == (email, OTHER)
    item = leases.claim_next(user=reviewer)
    assert (item.source, item.blind) == ("experiment", True)
    verify(item=item, user=reviewer, answer=answer(item, type="query", subtype=OTHER))
    found = report(experiment)
    assert (found.scored, found.disagreed, found.labelled, found.pairs.only_b) == (1, 1, 1, 1)
    undo(user=reviewer)
    assert report(experiment).labelled == 0


def test_where_the_shadow_agrees_nobody_is_asked(test_of):
    experiment = test_of(mode="shadow")
    receive(2)
    assert not ReviewItem.objects.exists()
    assert (report(experiment).scored, report(experiment).disagreed) == (2, 0)


def test_an_unsure_email_of_a_test_is_asked_about_once_and_blind(test_of):
    Department.objects.filter(slug="it").update(review_threshold=0.9999)
    test_of()
    receive()
    item = ReviewItem.objects.get()
    assert (item.source, item.blind) == (Source.EXPERIMENT, True)
    assert "under 1.00" in item.reason
    draw_weekly_sample(size=1)
    item.refresh_from_db()
    assert (item.source, item.draw is not None) == (Source.EXPERIMENT, True), "one answer serves both"


def test_an_arm_that_does_not_load_leaves_its_mail_to_the_control(test_of, settings):
    experiment = test_of()
    (settings.MODELS_DIR / "second" / "model.onnx").unlink()
    emails = receive(12)
    assert {e.prediction.model_version.version for e in emails} == {"starter"}
    experiment.refresh_from_db()
    assert "Arm B fails to load, A answers its mail" in report(experiment).trouble
    assert "model.onnx is missing" in report(experiment).trouble
    assert report(experiment).verdict.status == "unhealthy"


def test_a_version_that_is_gone_is_no_reason_to_wait(test_of):
    experiment = test_of(mode="shadow", treatment="forgotten")
    assert receive()[0].prediction is not None
    experiment.refresh_from_db()
    assert "Model forgotten is unknown" in report(experiment).trouble


@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_whatever_keeps_b_from_loading_holds_no_email_up(test_of, monkeypatch, mode):
    def fail(version):
        raise MemoryError("no room for a second model")

    monkeypatch.setattr(testing, "load", fail)
    experiment = test_of(mode=mode)
    assert all(e.prediction.model_version.version == "starter" for e in receive(8))
    experiment.refresh_from_db()
    assert "no room for a second model" in report(experiment).trouble


@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_a_b_that_fails_on_an_email_is_counted_and_a_answers(test_of, monkeypatch, mode):
    experiment = test_of(mode=mode)
    real = arms.version_under_test

    class Broken:
        def predict(self, *email):
            raise ArtifactError("out of memory")

    monkeypatch.setattr(arms, "version_under_test", lambda name: replace(real(name), predictor=Broken()))
    emails = receive(10)
    assert {e.prediction.model_version.version for e in emails} == {"starter"}
    errors = Outcome.objects.filter(phase__experiment=experiment, metric="error", value=1.0)
    assert errors.exists()
    assert {o.arm for o in errors} == {"B"}


def test_what_cannot_be_measured_holds_no_email_up(test_of, monkeypatch, caplog):
    test_of()
    seat = arms.seat_of
    monkeypatch.setattr(arms, "seat_of", lambda **unit: replace(seat(**unit), phase=0))  # a test that was deleted
    monkeypatch.setattr("classifier.review.experiments.record_outcomes", lambda **kw: 1 / 0)
    assert receive()[0].prediction is not None
    assert "could not be stored" in caplog.text


def test_a_promotion_in_the_middle_ends_the_comparison(test_of, second):  # noqa: F811
    experiment = test_of()
    promote(version=second)
    receive()
    experiment.refresh_from_db()
    assert report(experiment).trouble == "starter is not in production, second is."


def test_a_version_under_test_learns_new_subtypes_and_is_kept_loaded(starter, second):  # noqa: F811
    first = testing.version_under_test("second")
    assert testing.version_under_test("second").predictor is first.predictor


def test_what_a_finished_test_asked_for_is_given_back(test_of, contrary):
    """Items of the test alone leave the queue; what waits for a person anyway waits where it did."""
    experiment = test_of(mode="shadow")
    receive(2)
    unsure = make_item()
    open_for_experiment(unsure.email, unsure.prediction, "two models differ about it")
    asked = {"phase": experiment.phases.get().pk, "subject": str(unsure.email.pk), "arm": ""}
    services.record_outcomes(**asked, values={services.Metric.DISAGREE: 1.0})
    experiments.release_samples()
    assert ReviewItem.objects.filter(status="open", source="experiment", blind=True).count() == 3, "it still asks"
    lifecycle.end(experiment=experiment)
    experiments.watch()
    assert [(i.pk, i.source, i.blind) for i in ReviewItem.objects.filter(status="open")] == [
        (unsure.pk, "low_confidence", False)
    ]


def test_mail_of_machines_is_none_of_what_both_scored(test_of, contrary):
    experiment = test_of(mode="shadow")
    email = make_email(subject="Out of office", body=BODY)
    Email.objects.filter(pk=email.pk).update(automatic="reply")
    workflow.process(ids=[email.pk])
    assert (report(experiment).scored, report(experiment).disagreed) == (0, 0)


def test_an_email_of_a_sample_goes_back_to_it_while_it_is_open(test_of, contrary):
    """Taken by the weekly sample, then by a test; after the test it is the sample's again, and after that nobody's."""
    unsure = make_item()
    draw = draw_weekly_sample(size=1)
    experiment = test_of(mode="shadow")
    open_for_experiment(unsure.email, unsure.prediction, "two models differ about it")
    lifecycle.end(experiment=experiment)
    experiments.watch()
    unsure.refresh_from_db()
    assert (unsure.source, unsure.origin, unsure.blind, unsure.draw) == ("weekly", "low_confidence", True, draw)
    close_draws(now=timezone.now() + timedelta(days=15))
    unsure.refresh_from_db()
    assert (unsure.source, unsure.origin, unsure.status) == ("low_confidence", "", "open")


def test_a_process_that_is_behind_a_promotion_marks_no_test(test_of, second, monkeypatch):  # noqa: F811
    """It still holds the model of a moment ago; the test's control serves already."""
    promote(version=second)
    experiment = test_of(control="second", treatment="starter")
    behind = arms.version_under_test("starter")
    monkeypatch.setattr(arms, "serving", lambda: behind)
    receive()
    assert report(experiment).trouble == ""
    assert not Outcome.objects.exists()


def test_what_b_said_in_another_department_is_not_judged(test_of, contrary, reviewer):
    """Moved before it was answered: the models' answers were about another department's subtypes."""
    experiment = test_of(mode="shadow")
    receive()
    email = Email.objects.get()
    item = ReviewItem.objects.get(email=email)
    make_department("retail")
    Email.objects.update(department=Department.objects.get(slug="retail"))
    judge_email(Email.objects.get())
    assert (report(experiment).disagreed, report(experiment).labelled) == (1, 0)
    assert item.source == Source.EXPERIMENT


def test_what_an_ended_phase_asked_for_is_given_back_though_the_test_goes_on(test_of, admin):
    experiment = test_of(sample=1.0)
    receive(4)
    waiting = ReviewItem.objects.filter(status="open", source="experiment")
    assert waiting.count() == 4
    lifecycle.end(experiment=experiment)
    plan = Plan(planned=100, labels=100, weeks=1, sentence="", sample_a=1.0, sample_b=1.0)
    phase = lifecycle.start(experiment=experiment, plan=plan, by=admin)
    receive(1)
    experiments.release_samples()
    assert waiting.count() == 1, "the new phase still asks"
    lifecycle.complete(phase=phase)
    experiments.release_samples()
    assert not waiting.exists(), "as many as planned are labelled"


def test_a_shadow_test_asks_about_its_disagreements_to_the_last(test_of, contrary):
    experiment = test_of(mode="shadow")
    receive(2)
    lifecycle.complete(phase=experiment.phases.get())
    receive(2)
    experiments.release_samples()
    assert ReviewItem.objects.filter(status="open", source="experiment").count() == 2
    assert report(experiment).scored == 2, "what came later is no part of it"
