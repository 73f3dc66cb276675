"""Switches: each stops its part at once, shows what waits, and lets it go on."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from classifier.models import Email, Prediction, SampleDraw
from responses.drafting.services import request_draft, write_drafts
from responses.models import OutgoingMessage
from responses.sending.services import approve, send_due
from reviewdesk import workflow
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import DeskError
from reviewdesk.switches.models import Switch
from reviewdesk.switches.queries import desk_zone
from reviewdesk.switches.services import set_paused, set_time_zone
from reviewdesk.tasks import draw_weekly_sample
from tests.factories import make_classified, make_draft, make_email


@pytest.fixture
def desk(client, admin):
    client.force_login(admin)
    return client


def throw(desk, part: str, **fields):
    return desk.post(reverse("switch"), {"part": part, **fields})


def test_paused_sending_leaves_replies_waiting(desk, agent):
    approve(draft=make_draft(make_classified()), version=1, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now() - timedelta(hours=3))
    throw(desk, "sending", paused="on", reason="wrong signature")
    assert send_due() == 0 and mail.outbox == []
    page = desk.get(reverse("settings")).content.decode()
    assert "wrong signature" in page and "3\xa0hours" in page
    assert "Sending is paused by" in desk.get(reverse("inbox")).content.decode(), "everybody is told"
    throw(desk, "sending")
    assert send_due() == 1
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"pause sending", "resume sending"}


def test_a_pause_takes_effect_in_the_middle_of_a_batch(desk, agent, monkeypatch):
    from responses.sending import services

    for _ in range(3):
        approve(draft=make_draft(make_classified()), version=1, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now())
    send = services._send

    def pausing(pk):
        set_paused(part="sending", paused=True)
        return send(pk)

    monkeypatch.setattr(services, "_send", pausing)
    assert send_due() == 1 and len(mail.outbox) == 1


def test_paused_drafting_and_classification_wait(desk, starter):
    throw(desk, "drafting", paused="on")
    email = make_classified()
    request_draft(email=email)
    assert write_drafts(ids=[email.pk]) == 0
    throw(desk, "classification", paused="on")
    new = make_email()
    workflow.process(ids=[new.pk])
    assert Email.objects.get(pk=new.pk).prediction_id is None
    page = desk.get(reverse("settings")).content.decode()
    assert page.count('class="chip bad"') == 2
    throw(desk, "classification")
    workflow.process(ids=[new.pk])
    assert Email.objects.get(pk=new.pk).prediction_id


def test_what_is_no_part_is_refused(desk):
    assert throw(desk, "everything", paused="on").status_code == 400
    with pytest.raises(DeskError, match="part is 'tea'; allowed: classification"):
        set_paused(part="tea", paused=True)


def test_times_are_shown_in_the_desks_zone(desk):
    assert 'value="UTC"' in desk.get("/settings/").content.decode()
    throw(desk, "sending", paused="on")
    Switch.objects.update(changed_at="2026-06-01T10:30Z")
    assert "1 Jun 10:30" in desk.get("/settings/").content.decode()
    desk.post(reverse("time-zone"), {"time_zone": "Asia/Tokyo"})
    desk_zone.forget()
    said = desk.get("/settings/").content.decode()
    assert 'value="Asia/Tokyo"' in said and "1 Jun 19:30" in said
    assert AuditEvent.objects.filter(action="set time zone").count() == 1


def test_the_weekly_sample_begins_its_week_where_the_desk_is(db, monkeypatch):
    """Sunday evening in UTC is Monday in Tokyo."""
    set_time_zone(name="Asia/Tokyo")
    desk_zone.forget()
    make_classified()
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2100, 1, 3, 20, tzinfo=UTC))
    Prediction.objects.update(created_at=timezone.now())
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2100, 1, 3, 21, tzinfo=UTC))
    draw_weekly_sample.delay()
    assert str(SampleDraw.objects.get().week) == "2100-01-04"
    timezone.deactivate()


def test_a_zone_that_is_none_is_refused_by_name(desk):
    refused = desk.post(reverse("time-zone"), {"time_zone": "Mars/Olympus"})
    assert (refused.status_code, "Mars/Olympus" in refused.content.decode()) == (400, True)
