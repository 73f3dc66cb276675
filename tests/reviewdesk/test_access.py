"""Who may open what: an insider, a colleague of another role, an outsider, nobody at all."""

import pytest
from django.urls import get_resolver, reverse

from reviewdesk.people.models import ApiToken
from reviewdesk.people.services import create_token
from tests.factories import make_classified, make_draft, make_email, make_item, make_user

PAGES = {
    "review": {"reviewer"},
    "imports": {"agent"},
    "import-broken": {"agent"},
    "inbox": {"agent"},
    "inbox-list": {"agent"},
    "knowledge": {"agent"},
    "knowledge-search": {"agent"},
    "draft-figures": {"agent"},
    "macros": {"agent"},
    "accuracy": {"reviewer"},
    "accuracy-emails": {"reviewer"},
    "experiments": set(),
    "experiment-new": set(),
    "models": set(),
    "retraining": set(),
    "settings": set(),
    "queues": set(),
    "taxonomy": set(),
    "people": set(),
    "audit": set(),
    "audit-download": set(),
    "review-history": {"reviewer"},
    "review-holders": {"reviewer"},
    "review-progress": {"reviewer"},
    "review-agreement": set(),
    "disagreements": set(),
}
POSTS = {
    "review-next": ({"reviewer"}, None),
    "review-undo": ({"reviewer"}, None),
    "review-answer": ({"reviewer"}, "item"),
    "review-move": ({"reviewer"}, "item"),
    "review-heartbeat": ({"reviewer"}, "item"),
    "review-claim": ({"reviewer"}, "item"),
    "import-upload": ({"agent"}, None),
    "inbox-bulk": ({"agent"}, None),
    "thread-status": ({"agent"}, "thread"),
    "thread-assign": ({"agent"}, "thread"),
    "thread-snooze": ({"agent"}, "thread"),
    "thread-tags": ({"agent"}, "thread"),
    "thread-note": ({"agent"}, "thread"),
    "thread-merge": ({"agent"}, "thread"),
    "email-split": ({"agent"}, "email"),
    "email-forward": ({"agent"}, "email"),
    "macro-apply": ({"agent"}, "email"),
    "macro-add": (set(), None),
    "macro-change": (set(), "macro"),
    "macro-delete": (set(), "macro"),
    "thread-presence": ({"agent"}, "thread"),
    "label-correct": ({"agent"}, "email"),
    "email-move": ({"agent"}, "email"),
    "email-flag": ({"agent"}, "email"),
    "draft-write": ({"agent"}, "email"),
    "draft-redraft": ({"agent"}, "email"),
    "draft-save": ({"agent"}, "draft"),
    "draft-conflict": ({"agent"}, "draft"),
    "draft-resolve": ({"agent"}, "email"),
    "draft-rate": ({"agent"}, "draft"),
    "draft-attach": ({"agent"}, "draft"),
    "draft-detach": ({"agent"}, "draft"),
    "draft-approve": ({"agent"}, "draft"),
    "draft-reject": ({"agent"}, "draft"),
    "outgoing-undo": ({"agent"}, "email"),
    "outgoing-settle": ({"agent"}, "email"),
    "experiment-make": (set(), None),
    "experiment-start": (set(), "name"),
    "experiment-end": (set(), "name"),
    "experiment-split": (set(), "name"),
    "experiment-rollout": (set(), "name"),
    "experiment-hold": (set(), "name"),
    "experiment-rollback": (set(), "name"),
    "sample-more": (set(), None),
    "triggers-check": (set(), None),
    "retrain": (set(), None),
    "retraining-plan": (set(), None),
    "retraining-promote": (set(), "run"),
    "retraining-cancel": (set(), "run"),
    "time-zone": (set(), None),
    "sample-plan": (set(), None),
    "model-promote": (set(), "name"),
    "model-rollback": (set(), None),
    "model-train": (set(), None),
    "model-thresholds": (set(), "name"),
    "training-cancel": (set(), "run"),
    "document-add": (set(), None),
    "switch": (set(), None),
    "person-invite": (set(), None),
    "department-add": (set(), None),
    "department-change": (set(), "department"),
    "department-merge": (set(), "department"),
    "department-delete": (set(), "department"),
    "subtype-add": (set(), "department"),
    "subtype-change": (set(), "department"),
    "subtype-retire": (set(), "department"),
    "subtype-restore": (set(), "department"),
    "subtype-merge": (set(), "department"),
    "person-change": (set(), "person"),
    "person-link": (set(), "person"),
    "person-active": (set(), "person"),
    "second-looks": (set(), None),
    "export-add": (set(), None),
    "review-release": (set(), "item"),
    "queue-change": (set(), "source"),
    "disagreement-decide": (set(), "department"),
    "disagreement-undo": (set(), "department"),
    "threshold-set": (set(), "department"),
    "document-details": (set(), "document"),
    "document-replace": (set(), "document"),
}
OBJECT_PAGES = {
    "accuracy-table",
    "experiment",
    "experiment-live",
    "experiment-plan",
    "experiment-report",
    "inbox-thread",
    "draft-panel",
    "thread-forwards",
    "redraft-progress",
    "draft-grounding",
    "draft-take",
    "email-html",
    "attachment",
    "import-panel",
    "knowledge-document",
    "document-row",
    "document-move",
    "retraining-run",
    "data-set-download",
    "export-row",
    "export-download",
    "model",
    "model-move",
    "threshold-preview",
    "taxonomy-department",
    "subtype-effect",
    "subtype-merge-effect",
    "department-moves",
    "subtype-examples",
    "models-compare",
    "training-run",
    "training-log",
}
OPEN = {"password-set", "login", "logout", "home", "healthz", "readyz", "metrics", "schema", "api-docs"}
API = {
    ("post", "classify"): {"agent"},
    ("post", "emails"): {"agent"},
    ("get", "emails/1"): {"agent"},
    ("get", "review-items/next"): {"reviewer"},
    ("post", "review-items/next"): {"reviewer"},
    ("post", "review-items/1/heartbeat"): {"reviewer"},
    ("post", "review-items/1/release"): {"reviewer"},
    ("post", "review-items/1/verification"): {"reviewer"},
    ("post", "review-items/1/undo"): {"reviewer"},
    ("post", "exports"): set(),
    ("get", "exports/1"): set(),
    ("get", "exports/1/file"): set(),
    ("get", "models"): set(),
    ("get", "experiments"): set(),
    ("get", "experiments/x"): set(),
    ("post", "experiments/x/start"): set(),
    ("post", "experiments/x/end"): set(),
    ("post", "experiments/x/rollback"): set(),
    ("get", "models/x"): set(),
    ("post", "models/rollback"): set(),
    ("post", "models/x/promote"): set(),
    ("post", "models/x/archive"): set(),
    ("get", "drafts/1"): {"agent"},
    ("patch", "drafts/1"): {"agent"},
    ("post", "drafts/1/approve"): {"agent"},
    ("post", "drafts/1/undo"): {"agent"},
    ("post", "drafts/1/reject"): {"agent"},
}
ROLES = ["agent", "reviewer", "admin", ""]


@pytest.fixture
def objects(db):
    item = make_item()
    email = make_classified()
    return {
        "item": item.pk,
        "email": email.pk,
        "thread": email.thread_id,
        "draft": make_draft(email).pk,
        "name": "x",
        "run": 1,
        "document": 1,
        "department": 1,
        "source": "weekly",
        "figure": "weekly",
        "macro": 1,
        "person": 1,
    }


def may(role: str, roles: set[str]) -> bool:
    return role == "admin" or role in roles


def test_every_address_is_in_one_of_the_tables():
    names = {p.name for r in get_resolver().url_patterns for p in getattr(r, "url_patterns", [r])
             if getattr(r, "app_name", "") != "admin" and p.name}  # fmt: skip
    assert names == set(PAGES) | set(POSTS) | OBJECT_PAGES | OPEN


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", PAGES)
def test_pages(client, db, name, role):
    client.force_login(make_user(role=role))
    assert client.get(reverse(name)).status_code == (200 if may(role, PAGES[name]) else 403)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", POSTS)
def test_actions(client, objects, name, role):
    roles, kind = POSTS[name]
    client.force_login(make_user(role=role))
    response = client.post(reverse(name, args=[objects[kind]] if kind else []), {})
    assert (response.status_code == 403) == (not may(role, roles)), response.content[:300]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("name", "kind", "roles"), [
    ("inbox-thread", "thread", {"agent"}), ("draft-panel", "email", {"agent"}), ("thread-forwards", "thread", {"agent"}),
    ("email-html", "email", {"agent", "reviewer"}), ("accuracy-table", "figure", {"reviewer"}),
])  # fmt: skip
def test_object_pages(client, objects, name, kind, roles, role):
    client.force_login(make_user(role=role))
    response = client.get(reverse(name, args=[objects[kind]]), headers={"HX-Request": "true"})
    assert response.status_code == (200 if may(role, roles) else 403)


@pytest.mark.parametrize("role", ROLES)
def test_the_workshop_is_for_admins(client, db, role):
    client.force_login(make_user(role=role))
    pages = [
        ("model", ["x"]), ("models-compare", []), ("training-run", [1]), ("experiment", ["x"]),
        ("experiment-live", ["x"]), ("experiment-plan", []), ("experiment-report", ["x", "json"]),
    ]  # fmt: skip
    for name, args in pages:
        assert (client.get(reverse(name, args=args)).status_code == 403) == (role != "admin")
    assert (client.post(reverse("model-move", args=["x", "archive"])).status_code == 403) == (role != "admin")


@pytest.mark.parametrize("name", [*PAGES, *POSTS])
def test_nobody_gets_the_login_page(client, objects, name):
    kind = POSTS.get(name, (set(), None))[1]
    response = client.get(reverse(name, args=[objects[kind]] if kind else []))
    assert response.status_code == 302 and "/login/" in response.url


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), API)
def test_endpoints(client, objects, method, path, role):
    token = create_token(user=make_user(role=role))
    answer = getattr(client, method)(
        f"/api/v1/{path}", "{}", content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    ) if method != "get" else client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})  # fmt: skip
    assert (answer.status_code == 403) == (not may(role, API[method, path])), answer.content
    if answer.status_code >= 400:
        assert set(answer.json()) == {"code", "message", "fields"}


@pytest.mark.parametrize(("method", "path"), API)
def test_endpoints_without_a_token(client, db, method, path):
    assert getattr(client, method)(f"/api/v1/{path}").status_code == 401


def test_tokens_are_hashed_scoped_and_expire(client, db):
    user = make_user(role="agent")
    token = create_token(user=user, scopes=["drafts"])
    headers = {"Authorization": f"Bearer {token}"}
    assert token not in str(list(ApiToken.objects.values()))
    assert client.post("/api/v1/emails", "{}", content_type="application/json", headers=headers).status_code == 403
    assert client.get("/api/v1/drafts/1", headers=headers).status_code == 404
    ApiToken.objects.update(expires_at="2020-01-01T00:00Z")
    assert client.get("/api/v1/drafts/1", headers=headers).status_code == 401
    ApiToken.objects.update(expires_at="2099-01-01T00:00Z")
    user.is_active = False
    user.save()
    assert client.get("/api/v1/drafts/1", headers=headers).status_code == 401


def test_a_script_of_a_logged_out_page_gets_a_401_it_can_show(client, objects):
    response = client.post(reverse("draft-save", args=[objects["draft"]]), {}, headers={"Accept": "application/json"})
    assert response.status_code == 401 and "log in" in response.json()["message"]


@pytest.mark.parametrize(
    "address",
    [
        "/accuracy/emails/",
        "/accuracy/emails/?before=²",
        "/accuracy/emails/?before=-1",
        "/accuracy/emails/?before=99999999999999999999999",
        "/accuracy/emails/?day=9999-12-31",
        "/accuracy/emails/?week=0001-01-01",
        "/accuracy/emails/?low=nan&high=1e999",
        "/accuracy/?days=²",
        "/inbox/?after=2026-13-01T00:00:00Z_1",
        "/inbox/?after=2026-11-01T00:00:00_1",
        "/inbox/?after=0001-01-01T00:00:00%2B14:00_1",
        "/inbox/?after=2026-11-01T00:00:00Z_²",
        "/inbox/?after=2026-11-01T00:00:00Z_99999999999999999999",
        "/inbox/?q=%00&department=%00&subtype=%00&tag=²",
        "/inbox/99999999999999999999999/",
        "/settings/audit/?before=²",
        "/settings/audit/?before=99999999999999999999999",
        "/settings/audit/?since=9999-12-31&until=0001-01-01",
        "/review/subtypes/1/examples/?without=²",
        "/models/compare/?a=²&b=1",
        "/models/starter/?report=²&accuracy=nan",
        "/knowledge/?q=%00&department=²",
        "/experiments/plan/?weeks=²",
    ],
)
def test_an_odd_address_is_no_server_error(client, admin, address):
    make_email()  # not yet classified
    make_item()
    client.force_login(admin)
    assert client.get(address).status_code in (200, 400, 404)


@pytest.mark.parametrize("name", ["review-undo", "inbox-bulk"])
def test_an_odd_number_in_a_form_is_no_server_error(client, admin, name):
    client.force_login(admin)
    fields = {"answer": "²", "threads": ["²", "1"], "status": "closed"}
    assert client.post(reverse(name), fields).status_code in (302, 400)
