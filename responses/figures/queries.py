"""Figures of drafts by department, drafter and prompt version, over the last four weeks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from statistics import median

from django.utils import timezone

from classifier.visibility import visible
from ml.intervals import wilson_interval
from responses.models import Draft, OutgoingMessage
from reviewdesk.people.models import User

SPAN = timedelta(days=28)
MOST = 20_000
COMPARED = 300  # drafts of a group whose edits are measured, the newest
ENDED = (Draft.Status.SENT, Draft.Status.REJECTED)


@dataclass(frozen=True)
class Group:
    """Drafts that share a department, drafter or prompt.

    `accepted` of `decided` drafts were sent rather than rejected; `unchanged` of the sent ones word for word; `edited` is
    the median share of words changed in the sent ones; `minutes` the median from the email to the reply.
    """

    name: str
    drafts: int
    no_source: int
    decided: int
    accepted: int
    unchanged: int
    edited: float | None
    minutes: float | None
    up: int
    down: int

    @property
    def no_source_share(self) -> float:
        return self.no_source / self.drafts

    @property
    def acceptance(self) -> float | None:
        return self.accepted / self.decided if self.decided else None

    @property
    def acceptance_interval(self) -> tuple[float, float]:
        return wilson_interval(self.accepted, self.decided)


def groups(user: User) -> dict[str, list[Group]]:
    """Of the mail that `user` may see: department, drafter and prompt version → their groups, the largest first."""
    recent = (
        visible(Draft.objects.all(), user, "email__department")
        .exclude(backend="person")
        .filter(created_at__gte=timezone.now() - SPAN)
    )
    drafts = list(recent.select_related("email__department").defer("grounding").order_by("-pk")[:MOST])
    sent = OutgoingMessage.objects.filter(
        kind=OutgoingMessage.Kind.REPLY, status=OutgoingMessage.Status.SENT, sent_at__gte=timezone.now() - SPAN
    )
    sent_at = dict(sent.values_list("draft_id", "sent_at"))
    keys = {
        "Department": lambda d: d.email.department.name,
        "Drafter": lambda d: f"{d.backend} · {d.model}",
        "Prompt": lambda d: d.prompt_version,
    }
    found: dict[str, list[Group]] = {}
    for title, key in keys.items():
        by: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if key(draft):
                by[key(draft)].append(draft)
        found[title] = sorted((_group(name, some, sent_at) for name, some in by.items()), key=lambda g: -g.drafts)
    return {title: some for title, some in found.items() if some}


def _group(name: str, drafts: Sequence[Draft], sent_at: dict) -> Group:
    written = [d for d in drafts if d.generated_body]  # what an agent wrote where nothing was found is theirs
    sent = [d for d in written if d.status == Draft.Status.SENT]
    waits = [(sent_at[d.pk] - d.email.received_at).total_seconds() / 60 for d in sent if d.pk in sent_at]
    return Group(
        name,
        len(drafts),
        sum(not d.generated_body for d in drafts),
        sum(d.status in ENDED for d in written),
        len(sent),
        sum(d.body == d.generated_body for d in sent),
        median(changed(d.generated_body, d.body) for d in sent[:COMPARED]) if sent else None,
        median(waits) if waits else None,
        sum(d.rating == 1 for d in drafts),
        sum(d.rating == -1 for d in drafts),
    )


def changed(before: str, after: str) -> float:
    """Share of words that differ, 0 to 1: one minus the ratio of Ratcliff and Obershelp.

    >>> changed("one two three four", "one two three five")
    0.25
    """
    return 1 - SequenceMatcher(None, before.split(), after.split(), autojunk=False).ratio()
