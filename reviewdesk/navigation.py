"""The left rail: the pages a person may open, with counts beside inbox and review."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from classifier.accuracy.alerts import current_alerts
from classifier.models import Thread
from classifier.review.queries import open_count
from responses.inbox.access import threads_for
from responses.inbox.queries import undoable
from reviewdesk.people.models import ADMIN, AGENT, REVIEWER
from reviewdesk.switches.queries import paused


@dataclass(frozen=True)
class Place:
    """A page of the rail; `key` follows `g`."""

    label: str
    url: str
    key: str
    active: bool
    count: int | None = None


PLACES = (
    ("Inbox", "inbox", "i", (AGENT,)),
    ("Review", "review", "r", (REVIEWER,)),
    ("Accuracy", "accuracy", "a", (ADMIN, REVIEWER)),
    ("Experiments", "experiments", "e", (ADMIN,)),
    ("Models", "models", "m", (ADMIN,)),
    ("Knowledge", "knowledge", "k", (AGENT, ADMIN)),
    ("Retraining", "retraining", "t", (ADMIN,)),
    ("Import", "imports", "u", (AGENT, ADMIN)),
    ("Settings", "settings", "s", (ADMIN,)),
)
SETTINGS_TABS = (
    ("settings", "Switches"),
    ("people", "People"),
    ("taxonomy", "Taxonomy"),
    ("queues", "Queues"),
    ("audit", "Audit"),
)


def rail(request: HttpRequest) -> dict:
    """Context processor; counts are asked for once a page, and not for fragments."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or getattr(request, "htmx", False):
        return {}
    counts = {
        "inbox": lambda: threads_for(user).filter(status=Thread.Status.OPEN).count(),
        "review": lambda: open_count(user),
    }
    places = [
        Place(
            label=label,
            url=reverse(name),
            key=key,
            active=request.path.startswith(reverse(name)),
            count=counts[name]() if name in counts else None,
        )
        for label, name, key, roles in PLACES
        if user.roles & set(roles)
    ]
    can_undo = undoable(user) if AGENT in user.roles else []
    alerts = [] if ADMIN not in user.roles or request.path.startswith(reverse("accuracy")) else current_alerts.get()
    return {
        "rail": places,
        "paused": paused(),
        "accuracy_alerts": alerts,
        "settings_tabs": SETTINGS_TABS,
        "undoable": can_undo,
    }
