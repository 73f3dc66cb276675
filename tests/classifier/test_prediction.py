"""Prediction by the worker: once, withheld under the threshold, found again when lost."""

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from classifier.models import Department, Email, Prediction, ReviewItem
from classifier.prediction.services import claim_unclassified, sweep_unclassified
from classifier.registry import serving
from classifier.registry.services import promote
from responses.models import DraftJob
from reviewdesk import workflow
from reviewdesk.errors import BackendError, DeskError
from tests.factories import make_department, make_email, make_version

BODY = "The invoice module has been down since nine, nobody in the office can work. Fix it now!"


def test_an_email_goes_all_the_way(starter, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        email = make_email(subject="Everything down", body=BODY)
    email.refresh_from_db()
    prediction = email.prediction
    assert (email.type, email.subtype.slug) == ("complaint", "outage_complaint")
    assert prediction.model_version == starter and prediction.runtime == "onnx"
    assert len(prediction.distribution) == 10 and prediction.latency_ms > 0
    assert 0.3 < prediction.subtype_confidence <= prediction.type_confidence <= 1
    assert DraftJob.objects.filter(email=email).exists()
    line = json.loads((settings.LOG_DIR / "predictions.jsonl").read_text().splitlines()[-1])
    assert set(line) >= {
        "timestamp", "email_id", "department", "predicted_type", "predicted_subtype", "confidence_type",
        "confidence_subtype", "latency_ms", "model_version", "email_length",
    }  # fmt: skip
    assert "invoice module" not in json.dumps(line)


def test_running_twice_changes_nothing(starter):
    email = make_email(body=BODY)
    workflow.process(ids=[email.pk])
    workflow.process(ids=[email.pk])
    assert Prediction.objects.count() == 1


def test_under_the_departments_threshold_the_subtype_is_withheld(starter):
    Department.objects.filter(slug="it").update(review_threshold=0.9999)
    email = make_email(body=BODY)
    workflow.process(ids=[email.pk])
    email.refresh_from_db()
    assert (email.type, email.subtype) == ("complaint", None)
    assert email.prediction.withheld and email.prediction.subtype is not None
    item = ReviewItem.objects.get()
    assert (item.source, "is under 1.00" in item.reason) == ("low_confidence", True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("", "empty"), ("?!?!", "symbols"), ("🙂🙂", "emoji"), ("sdkjfh qpwoeir zmxncb kjhkjh", "gibberish")],
)
def test_unreadable_mail_goes_to_review_and_gets_no_draft(starter, body, kind):
    email = make_email(subject="", body=body)
    workflow.process(ids=[email.pk])
    item = ReviewItem.objects.get()
    assert (item.source, item.reason.split(": ")[1].split()[0]) == ("unreadable", kind)
    assert not DraftJob.objects.exists()


@pytest.mark.parametrize("automatic", ["auto_reply", "bounce", "list"])
def test_automatic_mail_is_classified_but_neither_reviewed_nor_drafted(starter, automatic):
    Department.objects.filter(slug="it").update(review_threshold=1.0)
    email = make_email(body=BODY, automatic=automatic)
    workflow.process(ids=[email.pk])
    assert Prediction.objects.count() == 1
    assert not ReviewItem.objects.exists() and not DraftJob.objects.exists()


def test_a_department_the_model_never_saw_gets_a_type_and_a_review(starter):
    make_department("bank")
    email = make_email(department="bank", body=BODY)
    workflow.process(ids=[email.pk])
    email.refresh_from_db()
    assert email.type == "complaint" and email.subtype is None
    assert ReviewItem.objects.get().reason == "the model knows no subtype of BANK"


def test_two_tasks_never_hold_the_same_email(db):
    email = make_email()
    assert claim_unclassified(ids=[email.pk]) == [email]
    assert claim_unclassified(ids=[email.pk]) == []


def test_the_sweeper_finds_what_a_dead_task_left(db):
    email = make_email()
    later = timezone.now() - timedelta(seconds=61)
    assert sweep_unclassified() == 0, "just queued"
    Email.objects.update(queued_at=later)
    assert sweep_unclassified() == 1
    Email.objects.update(queued_at=later, work_until=timezone.now() + timedelta(seconds=30))
    assert sweep_unclassified() == 0, "a task holds it"
    Email.objects.update(work_until=timezone.now() - timedelta(seconds=1))
    assert sweep_unclassified() == 1
    assert claim_unclassified(ids=[email.pk]) == [email]


def test_a_failing_model_loses_nothing(starter, monkeypatch):
    email = make_email(body=BODY)
    with monkeypatch.context() as patch:
        patch.setattr("classifier.prediction.services.classify_text", lambda **kw: 1 / 0)
        workflow.process(ids=[email.pk])
    email.refresh_from_db()
    assert (email.prediction, email.work_until) == (None, None)
    workflow.process(ids=[email.pk])
    assert Prediction.objects.count() == 1


def test_without_a_model_the_error_says_what_to_run(db):
    serving.forget()
    with pytest.raises(BackendError, match="manage.py train"):
        serving.serving()


def test_a_corrupt_model_is_never_promoted(starter, starter_folder):
    with pytest.raises(DeskError, match="manifest.json"):
        promote(version=make_version("nothing-there"))
    assert serving.production_version() == starter


def test_where_batches_pay_emails_are_classified_together(starter, monkeypatch):
    emails = [make_email(body=text) for text in ("the VPN is down", "how do I reset my password?", "buy pills")]
    predictor, sizes = serving.serving().predictor, []
    whole = predictor.predict_many
    monkeypatch.setattr(predictor.runtime, "batches", True, raising=False)
    monkeypatch.setattr(predictor, "predict_many", lambda rows: sizes.append(len(rows)) or whole(rows))
    workflow.classify(ids=[e.pk for e in emails])
    assert sizes == [3]
    assert Prediction.objects.count() == 3


def test_a_batch_that_fails_is_tried_one_by_one(starter, monkeypatch, caplog):
    emails = [make_email(body=text) for text in ("the VPN is down", "poison", "buy pills")]
    predictor = serving.serving().predictor
    whole = predictor.predict_many

    def fails(rows):
        if any(body == "poison" for _, _, body in rows):
            raise RuntimeError("cannot be read")
        return whole(rows)

    monkeypatch.setattr(predictor.runtime, "batches", True, raising=False)
    monkeypatch.setattr(predictor, "predict_many", fails)
    workflow.classify(ids=[e.pk for e in emails])
    assert set(Prediction.objects.values_list("email", flat=True)) == {emails[0].pk, emails[2].pk}
    assert "tried one by one" in caplog.text
