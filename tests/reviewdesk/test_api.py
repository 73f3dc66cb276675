"""The API as the design draws it."""

from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Email
from classifier.review.leases import claim_next
from reviewdesk.people.models import ApiToken
from reviewdesk.people.services import create_token
from tests.factories import make_department, make_draft, make_item, make_user


@pytest.fixture
def api(client, db):
    """call(method, path, data) as an admin, with a token."""
    headers = {"Authorization": f"Bearer {create_token(user=make_user(role='admin'))}"}

    def call(method: str, path: str, data=None):
        return getattr(client, method)(f"/api/v1/{path}", data, content_type="application/json", headers=headers)

    return call


def test_classify_answers_at_once_and_stores_nothing(api, starter):
    said = api("post", "classify", {"email": "The VPN is down for the whole office!", "department": "it"}).json()
    assert set(said) == {
        "type",
        "type_confidence",
        "subtype",
        "subtype_confidence",
        "needs_review",
        "model_version",
        "latency_ms",
    }
    assert (said["type"], said["subtype"], said["needs_review"]) == ("complaint", "outage_complaint", False)
    assert not Email.objects.exists()
    assert api("post", "classify", {"email": "?!", "department": "it"}).json()["needs_review"] is True
    wrong = api("post", "classify", {"email": "x", "department": "zz"})
    assert wrong.status_code == 400 and "department" in wrong.json()["fields"]


def test_metrics_count_what_was_classified(api, client, starter):
    api("post", "classify", {"email": "The VPN is down", "department": "it"})
    text = client.get("/metrics").content.decode()
    assert 'emails_classified_total{department="it",predicted_type="complaint"}' in text
    for name in ("classification_latency_seconds_bucket", 'model_confidence_score_bucket{le="0.1",prediction_type="subtype"}',
                 "classification_errors_total", "cpu_usage_percent"):  # fmt: skip
        assert name in text


def test_emails_one_or_many_each_on_its_own(api):
    make_department("it")
    one = {
        "department": "it",
        "from": "Ann <ann@example.com>",
        "to": "help@x",
        "subject": "s",
        "body": "b",
        "message_id": "<1@x>",
    }
    first = api("post", "emails", one)
    assert first.status_code == 202
    (result,) = first.json()["results"]
    assert result["status"] == "new"
    many = api("post", "emails", [one, {**one, "message_id": "<2@x>"}, {"body": "x"}, "text", {**one, "department": "zz"},
                                  {**one, "received_at": "yesterday"}]).json()["results"]  # fmt: skip
    assert [r["status"] for r in many] == ["duplicate", "new", "rejected", "rejected", "rejected", "rejected"]
    assert [r["index"] for r in many] == list(range(6))
    assert "department" in many[2]["errors"] and "allowed: it" in many[4]["errors"]["department"][0]
    got = api("get", f"emails/{result['id']}").json()
    assert (got["department"], got["type"], got["classified"]) == ("it", "", False)
    assert Email.objects.get(pk=result["id"]).customer.address == "ann@example.com"


def test_an_empty_list_is_refused(api):
    assert "allowed: 1 to 500" in api("post", "emails", []).json()["message"]


def test_a_review_by_api(api):
    item = make_item()
    assert "lease" not in api("get", "review-items/next").json()["item"], "a peek claims nothing"
    claimed = api("post", "review-items/next").json()["item"]
    assert claimed["id"] == item.pk and len(claimed["top"]) == 3
    answer = {
        "lease": claimed["lease"],
        "idempotency_key": "k1",
        "action": "confirm",
        "type": "complaint",
        "subtype": "bug_complaint",
        "seconds": 3,
    }
    assert api("post", f"review-items/{item.pk}/heartbeat", {"lease": claimed["lease"]}).status_code == 200
    first = api("post", f"review-items/{item.pk}/verification", answer).json()
    assert api("post", f"review-items/{item.pk}/verification", answer).json() == first
    late = api("post", f"review-items/{item.pk}/verification", {**answer, "idempotency_key": "k2"})
    assert (late.status_code, late.json()["code"]) == (409, "already_done")
    assert api("post", f"review-items/{item.pk}/undo").json()["id"] == item.pk


def test_next_tells_what_others_hold(api, reviewer):
    make_item()
    assert claim_next(user=reviewer)
    said = api("post", "review-items/next").json()
    assert said["item"] is None and said["held_by_others"] == 1 and said["next_free_at"]


def test_a_draft_by_api(api):
    draft = make_draft()
    assert api("get", f"drafts/{draft.pk}").json()["version"] == 1
    assert api("patch", f"drafts/{draft.pk}", {"version": 1, "body": "mine"}).json()["version"] == 2
    stale = api("patch", f"drafts/{draft.pk}", {"version": 1, "body": "late"})
    assert (stale.status_code, stale.json()["code"]) == (409, "changed")
    assert api("post", f"drafts/{draft.pk}/approve", {"version": 2}).json()["status"] == "approved"
    assert api("post", f"drafts/{draft.pk}/undo").json()["status"] == "ready"
    assert api("post", f"drafts/{draft.pk}/reject", {"version": 2, "reason": "wrong"}).status_code == 204


def test_the_schema_lists_every_endpoint(client, admin):
    client.force_login(admin)
    schema = client.get("/api/schema/", headers={"Accept": "application/json"}).content.decode()
    for path in ("classify", "emails", "review-items/next", "drafts/{id}/approve"):
        assert f"/api/v1/{path}" in schema


def test_health(client, db):
    assert client.get("/healthz").content == b"ok\n"
    ready = client.get("/readyz")
    assert ready.status_code == 503 and "manage.py train" in ready.json()["reason"]


def test_ready_with_a_model(client, starter):
    assert client.get("/readyz").json() == {"ready": True, "model": "starter"}


@pytest.fixture
def raw(client, agent):
    """POST bytes as an agent; errors of the server are answers, as in production."""
    client.raise_request_exception = False
    token = create_token(user=agent)

    def send(path: str, body: bytes = b"{}", **headers):
        headers |= {"Authorization": f"Bearer {token}"}
        return client.post(path, body, content_type="application/json", headers=headers)

    return send


def is_failure(answer, status: int, code: str) -> dict:
    assert answer.status_code == status and answer["Content-Type"] == "application/json", answer.content[:200]
    body = answer.json()
    assert set(body) == {"code", "message", "fields"} and body["code"] == code and body["message"]
    return body


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[" * 50_000 + b"]" * 50_000, 400, "parse_error"),
        (b'{"email": ' * 50_000, 400, "parse_error"),
        (b"{", 400, "parse_error"),
        (b"\xff\xfe\x00", 400, "parse_error"),
        (b'{"email": "\\ud800", "department": "it"}', 400, "invalid"),
        (b'{"email": "a\\u0000b", "department": "it"}', 400, "invalid"),
        (b'{"email": NaN, "department": "it"}', 400, "parse_error"),
        (b"null", 400, "invalid"),
        (b"17", 400, "invalid"),
    ],
    ids=["nested", "nested objects", "cut", "no text", "half a letter", "nul", "nan", "null", "number"],
)
def test_odd_bodies_are_failures_in_json(raw, starter, body, status, code):
    is_failure(raw("/api/v1/classify", body), status, code)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(raw, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert "allowed: 1,000" in is_failure(raw("/api/v1/emails", b" " * 2_000), 413, "too_large")["message"]


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/", "/api/v2/emails", "/api/v1/emails/x"])
def test_an_unknown_address_is_a_failure_in_json(raw, client, path):
    is_failure(raw(path), 404, "not_found")
    client.logout()
    is_failure(client.get(path), 404, "not_found")


def test_a_locked_database_is_a_503_that_says_when_to_come_again(raw, client, admin, monkeypatch):
    def locked(*args, **kwargs):
        raise OperationalError("database is locked")

    make_department("it")
    monkeypatch.setattr("classifier.intake.services.Intake.receive", locked)
    answer = raw("/api/v1/emails", b'{"department": "it", "body": "x"}')
    is_failure(answer, 503, "database_busy")
    assert answer["Retry-After"] == "5"
    client.force_login(admin)
    monkeypatch.setattr("reviewdesk.audit.views.actions", locked)
    page = client.get("/settings/audit/")
    assert page.status_code == 503 and page["Retry-After"] == "5" and b"nothing was changed" in page.content
    scripted = client.get("/settings/audit/", headers={"HX-Request": "true"})
    is_failure(scripted, 503, "database_busy")


def test_what_nobody_caught_is_json_for_programs_and_a_page_for_people(raw, client, admin, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a mistake of ours")

    make_department("it")
    monkeypatch.setattr("classifier.intake.services.Intake.receive", broken)
    body = is_failure(raw("/api/v1/emails", b'{"department": "it", "body": "x"}'), 500, "error")
    assert "a mistake" not in body["message"]
    client.force_login(admin)
    monkeypatch.setattr("reviewdesk.audit.views.actions", broken)
    assert b"The desk failed" in client.get("/settings/audit/").content


def test_classify_writes_nothing_to_the_database(raw, starter):
    """A locked database must not hold up a request that only reads: the token's use is noted by a worker."""
    raw("/api/v1/classify", b'{"email": "warm", "department": "it"}')
    ApiToken.objects.update(last_used_at=None)
    cache.clear()
    asked = []
    enqueue = patch("reviewdesk.people.services.enqueue", lambda *args: asked.append(args))
    with enqueue, CaptureQueriesContext(connection) as seen:
        assert raw("/api/v1/classify", b'{"email": "The VPN is down", "department": "it"}').status_code == 200
    assert not [q["sql"] for q in seen if not q["sql"].startswith("SELECT")]
    assert [name for name, _ in asked] == ["people.note_token_used"]


def test_the_use_of_a_token_is_noted_once_an_hour(raw, django_capture_on_commit_callbacks):
    make_department("it")
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            raw("/api/v1/emails", b'{"department": "it", "body": ""}')
    assert ApiToken.objects.get().last_used_at is not None
