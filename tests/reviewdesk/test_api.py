"""The API as the design draws it."""

import pytest

from classifier.models import Email
from classifier.review.leases import claim_next
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
                 "classification_errors_total", "gpu_memory_used_bytes", "cpu_usage_percent"):  # fmt: skip
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
