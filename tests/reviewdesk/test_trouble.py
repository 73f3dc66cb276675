"""What fails again and again is said once, until it changes or is over."""

import logging

from classifier.models import Email
from classifier.registry import serving
from reviewdesk import workflow
from reviewdesk.trouble import REMEMBERED, Trouble
from tests.factories import make_email


def test_once_until_it_changes_or_is_over(caplog):
    trouble = Trouble(logging.getLogger("t"), over="works again")
    for message in ("away", "away", "refused", "refused"):
        trouble.report(message)
    trouble.over()
    trouble.over()
    trouble.report("away")
    assert caplog.messages == ["away", "refused", "works again", "away"]


def test_each_key_by_itself_and_not_without_end(caplog):
    trouble = Trouble(logging.getLogger("t"))
    for key in range(REMEMBERED + 50):
        trouble.report("bad", key=key)
        trouble.report("bad", key=key)
    assert len(caplog.messages) == REMEMBERED + 50
    assert len(trouble._last) == REMEMBERED


def test_without_a_model_waiting_emails_are_one_warning(db, caplog):
    serving.forget()
    workflow.model_trouble.over()
    ids = [make_email().pk for _ in range(30)]
    for _ in range(20):
        workflow.classify(ids=ids)
    lines = [m for m in caplog.messages if "wait" in m]
    assert len(lines) == 1 and "models promote" in lines[0] and "Traceback" not in caplog.text
    assert not Email.objects.filter(work_until__isnull=False).exists(), "free for the sweeper"


def test_an_email_that_fails_each_time_is_said_once(starter, caplog, monkeypatch):
    email = make_email()

    def fail(*args, **kwargs):
        raise RuntimeError("odd text")

    monkeypatch.setattr("ml.predictor.Predictor.predict", fail)
    for _ in range(5):
        workflow.classify(ids=[email.pk])
    assert sum("odd text" in m for m in caplog.messages) == 1
