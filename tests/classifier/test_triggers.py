"""What calls for a retraining: read each day, kept, shown."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from classifier.models import AccuracyAlert, Prediction, Subtype, TriggerReading
from classifier.retraining.triggers import check_triggers, latest
from tests.factories import make_classified, make_department, make_version


def read(trigger: str) -> TriggerReading:
    check_triggers()
    return TriggerReading.objects.get(trigger=trigger)


def days_ago(email, days: int) -> None:
    Prediction.objects.filter(email=email).update(created_at=timezone.now() - timedelta(days=days))


def copies(email, n: int, days: int, **fields) -> None:
    """n more emails like it, classified that many days ago."""
    from classifier.models import Email

    emails, rows = [], []
    for k in range(n):
        emails.append(
            Email(
                mailbox=email.mailbox, department=email.department, thread=email.thread, customer=email.customer,
                identity=f"{days}-{fields}-{k}"[:80], content_sha256="", received_at=email.received_at,
            )
        )  # fmt: skip
    Email.objects.bulk_create(emails)
    base = email.prediction
    values = {
        "department": base.department, "model_version": base.model_version, "runtime": "onnx", "type": base.type,
        "type_confidence": 0.9, "subtype": base.subtype, "subtype_confidence": 0.9, "threshold": 0.3,
        "withheld": False, "latency_ms": 1.0,
    }  # fmt: skip
    rows = Prediction.objects.bulk_create(Prediction(email=e, **{**values, **fields}) for e in emails)
    Prediction.objects.filter(pk__in=[r.pk for r in rows]).update(created_at=timezone.now() - timedelta(days=days))
    for e, row in zip(emails, rows, strict=True):
        e.prediction = row
    Email.objects.bulk_update(emails, ["prediction"])


def test_a_young_desk_is_quiet_and_says_why(db):
    said = {r.trigger: (r.fired, r.detail) for r in check_triggers()}
    assert said == {
        "accuracy": (False, "No alert is open."),
        "drift": (False, "Fewer than 8 days of mail."),
        "low_confidence": (False, "No mail in 7 days."),
        "taxonomy": (False, "No model is in production."),
    }


def test_a_reading_of_the_same_day_is_replaced(db):
    check_triggers()
    check_triggers()
    assert TriggerReading.objects.count() == 4
    check_triggers(today=timezone.localdate() + timedelta(days=1))
    assert TriggerReading.objects.count() == 8
    assert {r.day for r in latest()} == {timezone.localdate() + timedelta(days=1)}


def test_an_open_alert_fires(db):
    AccuracyAlert.objects.create(version=make_version(), bar=0.85, weeks=2, value=0.7, low=0.6, high=0.79, n=200)
    reading = read("accuracy")
    assert (reading.fired, reading.value) == (True, 0.7)


def test_mail_that_has_changed_fires(db):
    email = make_classified()
    days_ago(email, 1)
    other = Subtype.objects.get(department=email.department, slug="access_query")
    for day in range(1, 36):
        copies(email, 80, day, **({"subtype": other} if day <= 7 else {}))
    reading = read("drift")
    assert reading.fired and reading.value > 0.3
    assert "n = 561" in reading.detail


def test_mail_as_ever_is_quiet_and_little_mail_says_nothing(db):
    email = make_classified()
    for day in range(1, 36):
        copies(email, 80, day)
    assert not read("drift").fired
    Prediction.objects.filter(created_at__gt=timezone.now() - timedelta(days=7.5)).exclude(email=email).update(
        created_at=timezone.now() - timedelta(days=20)
    )
    assert "below 500 it says nothing" in read("drift").detail


@pytest.mark.parametrize(("low", "fired"), [(15, False), (30, True)])
def test_low_confidence_fires_by_its_lower_bound(db, low, fired):
    email = make_classified()
    copies(email, 100 - low, 2)
    copies(email, low, 2, subtype_confidence=0.4)
    reading = read("low_confidence")
    assert (reading.fired, reading.value) == (fired, pytest.approx(low / 100))


def test_a_subtype_that_the_model_never_learnt_fires(starter):
    assert not read("taxonomy").fired
    department = make_department("it")
    Subtype.objects.create(department=department, slug="licence_query", name="Licence query", type="query")
    reading = read("taxonomy")
    assert (reading.fired, reading.value) == (True, 1.0)
    assert "IT services: Licence query" in reading.detail


def test_the_command_prints_them(db, capsys):
    call_command("check_retraining")
    assert "Fewer than 8 days" in capsys.readouterr().out
    call_command("check_retraining", json=True)
    assert {row["trigger"] for row in json.loads(capsys.readouterr().out)} == set(TriggerReading.Trigger.values)


def test_the_page_shows_state_and_history(client, admin):
    client.force_login(admin)
    assert "Nothing was read yet" in client.get("/retraining/").content.decode()
    client.post("/retraining/check/")
    said = client.get("/retraining/").content.decode()
    assert "The mail has changed" in said and said.count("quiet</span>") == 4
