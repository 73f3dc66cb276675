"""Mail under a test between two versions: who answers it, and what happens when B cannot."""

from dataclasses import replace

import pytest

from abtests.models import Assignment, Outcome
from abtests.reports import report
from classifier.models import ReviewItem
from classifier.prediction import arms
from classifier.registry import testing
from classifier.registry.services import promote
from ml.errors import ArtifactError
from tests.classifier.arms.helpers import receive


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


def test_a_promotion_in_the_middle_ends_the_comparison(test_of, second):
    experiment = test_of()
    promote(version=second)
    receive()
    experiment.refresh_from_db()
    assert report(experiment).trouble == "starter is not in production, second is."


def test_a_version_under_test_learns_new_subtypes_and_is_kept_loaded(starter, second):
    first = testing.version_under_test("second")
    assert testing.version_under_test("second").predictor is first.predictor


def test_a_process_that_is_behind_a_promotion_marks_no_test(test_of, second, monkeypatch):
    """It still holds the model of a moment ago; the test's control serves already."""
    promote(version=second)
    experiment = test_of(control="second", treatment="starter")
    behind = arms.version_under_test("starter")
    monkeypatch.setattr(arms, "serving", lambda: behind)
    receive()
    assert report(experiment).trouble == ""
    assert not Outcome.objects.exists()
