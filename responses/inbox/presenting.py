"""A thread as the page shows it: the customer's mail and our replies in order of time, and what a draft rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import getaddresses
from typing import Any

import numpy as np

from classifier.models import Email, Thread
from ml.quoting import SplitText, split_quoted
from ml.tokenizing import email_text
from responses.drafting.grounding import Evidence, Passage, bare, sentences_of
from responses.inbox.access import emails_for, notes_for, outgoing_for
from responses.inbox.queries import canned_replies, earlier_drafts, left_over, reply_state, unsettled
from responses.models import Draft, Note, OutgoingMessage
from reviewdesk.people.models import User

MAX_SHOWN = 50_000
MAX_TURNS = 50
FILES = ("draft__attachments", "email__attachments")
SAID = {
    "support": "no source says this",
    "number": "{text} stands in no source",
    "date": "{text} stands in no source",
    "name": "{text} stands in no source",
    "link": "{text} is no address of a source",
    "negation": "the source may say the opposite",
    "promise": "promises more than the source: {text}",
}


@dataclass(frozen=True)
class Turn:
    """An email that came, a reply (or an email forwarded) that left, or a note for colleagues."""

    at: datetime
    email: Email | None = None
    text: SplitText | None = None
    reply: OutgoingMessage | None = None
    note: Note | None = None


def present_thread(thread: Thread, user: User) -> list[Turn]:
    """The last 50 emails, what was sent and the notes that `user` may see, oldest first."""
    emails = (
        emails_for(user).filter(thread=thread).select_related("customer", "department").prefetch_related("attachments")
    )
    came = [
        Turn(e.received_at, e, split_quoted(e.body[:MAX_SHOWN])) for e in emails.order_by("-received_at")[:MAX_TURNS]
    ]
    sent = outgoing_for(user).filter(email__thread=thread, status=OutgoingMessage.Status.SENT)
    left = [
        Turn(m.sent_at or m.changed_at, reply=m)
        for m in sent.select_related("approved_by", "draft", "email").prefetch_related(*FILES)
    ]
    written = notes_for(user).filter(thread=thread).select_related("author")
    notes = [Turn(n.created_at, note=n) for n in written.order_by("-pk")[:MAX_TURNS]]
    return sorted([*came, *left, *notes], key=lambda turn: turn.at)


@dataclass(frozen=True)
class Line:
    """A sentence of a draft: the sources it rests on, or that an agent wrote it, and what to look at."""

    text: str
    sources: Sequence[int]
    yours: bool
    marks: Sequence[str]


@dataclass(frozen=True)
class Grounding:
    lines: Sequence[Line]

    @property
    def grounded(self) -> int:
        return sum(bool(line.sources) and not line.marks for line in self.lines)

    @property
    def marked(self) -> int:
        return sum(bool(line.marks) for line in self.lines)


def present_grounding(draft: Draft) -> Grounding:
    """The sentences of a draft as it stands: those of the drafter as they were checked, an agent's own by their facts."""
    checked = {row["text"]: row for row in draft.grounding}
    own = [line for line in draft.generated_body.splitlines() if bare(line) not in checked and line.strip()]
    drafted = {bare(s) for line in own for s in sentences_of(line)} - set(checked)
    passages = [
        Passage(s.number, s.passage.text if s.passage else s.quote) for s in draft.sources.select_related("passage")
    ]
    evidence = Evidence(
        passages, email_text(draft.email.subject, draft.email.body), lambda texts: np.zeros((len(texts), 1))
    )
    lines = []
    for sentence in sentences_of(draft.body):
        text = bare(sentence)
        if text in checked:
            row = checked[text]
            lines.append(Line(text, row["sources"], False, [_said(m["kind"], m["text"]) for m in row["marks"]]))
        elif text not in drafted:
            lines.append(
                Line(text, [], True, [_said(m.kind, m.text) for m in evidence.facts(text)] if passages else [])
            )
    return Grounding(lines)


def _said(kind: str, text: str) -> str:
    return SAID[kind].format(text=text)


def everybody(email: Email) -> str:
    """Who else the email went to, for a reply to all: without the mailbox and the customer."""
    ours = {email.mailbox.address.lower(), email.customer.address.lower()}
    return ", ".join(a for _, a in getaddresses([email.to]) if a and "@" in a and a.lower() not in ours)


def reply_context(email: Email, user: User) -> dict[str, Any]:
    """What the reply pane shows."""
    state = reply_state(email)
    shown = state.draft and state.draft.backend != "person"
    return {
        "state": state,
        "grounding": present_grounding(state.draft) if shown and state.draft else None,
        "earlier": earlier_drafts(email),
        "everybody": everybody(email),
        "left_over": left_over(email, user),
        "unsettled": unsettled(email, user),
        "canned": canned_replies(email),
    }
