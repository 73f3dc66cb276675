"""A review item as the page shows it: the mail, the prediction, the choices."""

from dataclasses import dataclass
from functools import lru_cache

from django.db.models import Exists, OuterRef, QuerySet
from django.template.loader import render_to_string

from classifier.models import Attachment, Email, EmailType, Prediction, ReviewItem, Source, Subtype, Verification
from ml.quoting import SplitText, split_quoted
from reviewdesk.backends import Remembered
from reviewdesk.prepared import prepared

MAX_SHOWN = 50_000


def _read() -> dict[int, Subtype]:
    return {s.pk: s for s in Subtype.objects.all()}


_subtypes = Remembered(_read, seconds=2.0)


@dataclass(frozen=True)
class Choice:
    """A subtype that can be chosen, with what the model gave it."""

    subtype: Subtype
    confidence: float
    rank: int
    chosen: bool

    @property
    def html(self) -> str:
        """The choice as the page shows it."""
        s = self.subtype
        return _choice(s.pk, s.slug, s.name, s.type, s.guideline, self.chosen, f"{self.confidence:.2f}")


@lru_cache(4096)
def _choice(pk: int, slug: str, name: str, type: str, guideline: str, chosen: bool, confidence: str) -> str:
    """Rendered once for the same words and figure, since most choices of most emails are the same."""
    choice = {"pk": pk, "slug": slug, "name": name, "type": type, "guideline": guideline}
    return render_to_string("classifier/_review_choice.html", choice | {"chosen": chosen, "confidence": confidence})


@lru_cache
def _types(chosen: str) -> str:
    return render_to_string("classifier/_review_types.html", {"types": EmailType.choices, "chosen": chosen})


@dataclass(frozen=True)
class ShownItem:
    item: ReviewItem
    email: Email
    prediction: Prediction
    text: SplitText
    files: list[Attachment]
    cut: bool
    position: int
    types: str
    choices: list[Choice]
    second_intents: tuple[tuple[str, str], ...]
    starts_empty: bool
    answered: Verification | None = None  # what the reviewer had answered and has taken back

    @property
    def runners_up(self) -> list[Choice]:
        """Second and third of the model's top three, of whatever type."""
        return [] if self.item.blind else [c for c in self.choices if c.rank < 3 and not c.chosen][:2]


@prepared
def _email(*, pk: int) -> QuerySet[Email]:
    files = Exists(Attachment.objects.filter(email=OuterRef("pk")))
    emails = Email.objects.select_related("customer", "prediction", "department")
    return emails.filter(pk=pk).annotate(has_files=files)


# Here the prediction means little, so that nothing is chosen before the reviewer does.
STARTS_EMPTY = (Source.UNREADABLE, Source.OUT_OF_SCOPE)


def present(item: ReviewItem, answered: Verification | None = None) -> ShownItem:
    """What the page needs: a query or two, whatever the email. What the model said is left out of a blind one.

    `answered` is what the reviewer answered before and has taken back: it is chosen again.
    """
    [email] = _email(pk=item.email_id)
    known = _subtypes.get()
    prediction = email.prediction
    assert prediction is not None, "only classified emails are claimed"
    follows = email.in_reply_to or email.references
    same_department = email.thread.emails.filter(department=email.department_id)
    position = same_department.filter(received_at__lt=email.received_at).count() + 1 if follows else 1
    given: dict[str, float] = {} if item.blind else dict(prediction.distribution)
    order = {slug: rank for rank, slug in enumerate(given)}
    if prediction.subtype_id in known:
        prediction.subtype = known[prediction.subtype_id]
    starts_empty = item.blind or item.source in STARTS_EMPTY
    if answered is not None:
        chosen_type, subtype = answered.type, answered.subtype
    elif starts_empty:
        chosen_type, subtype = "", None
    else:
        chosen_type, subtype = prediction.type, prediction.subtype
    shown = known.get(subtype.final_id) if subtype else None
    best = shown.slug if shown else ""
    choices = [
        Choice(s, given.get(s.slug, 0.0), order.get(s.slug, len(order)), s.slug == best)
        for s in known.values()
        if s.active and s.department_id == email.department_id
    ]
    choices.sort(key=lambda c: (c.rank, c.subtype.name))
    return ShownItem(
        item,
        email,
        prediction,
        split_quoted(email.body[:MAX_SHOWN]),
        list(email.attachments.all()) if email.has_files else [],  # type: ignore[attr-defined]
        len(email.body) > MAX_SHOWN,
        position,
        _types(chosen_type),
        choices,
        second_intents=tuple((s.slug, s.name) for s in sorted((c.subtype for c in choices), key=lambda s: s.name)),
        starts_empty=starts_empty,
        answered=answered,
    )
