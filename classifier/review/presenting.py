"""A review item as the page shows it: the mail, the prediction, the choices."""

from dataclasses import dataclass
from functools import cache

from django.urls import reverse

from classifier.models import Department, Email, EmailType, Prediction, ReviewItem, Subtype
from ml.quoting import SplitText, split_quoted
from reviewdesk.backends import Remembered

MAX_SHOWN = 50_000


@dataclass(frozen=True)
class Taxonomy:
    """The departments in use, and all subtypes by id."""

    departments: list[Department]
    subtypes: dict[int, Subtype]


def _read() -> Taxonomy:
    subtypes = {s.pk: s for s in Subtype.objects.select_related("department")}
    return Taxonomy(list(Department.objects.filter(active=True)), subtypes)


taxonomy = Remembered(_read, seconds=2.0)


@dataclass(frozen=True)
class Choice:
    """A subtype that can be chosen, with what the model gave it."""

    subtype: Subtype
    confidence: float
    rank: int
    chosen: bool

    @property
    def examples(self) -> str:
        """Address of emails that show the subtype."""
        return _examples(self.subtype.pk)


@cache
def _examples(subtype: int) -> str:
    """Resolved once: an address costs more than the rest of a choice."""
    return reverse("subtype-examples", args=[subtype])


@dataclass(frozen=True)
class TypeChoice:
    """A type that can be chosen, and the digit that chooses it."""

    value: str
    label: str
    key: int
    chosen: bool


@dataclass(frozen=True)
class ShownItem:
    item: ReviewItem
    email: Email
    prediction: Prediction
    text: SplitText
    cut: bool
    position: int
    types: list[TypeChoice]
    choices: list[Choice]

    @property
    def runners_up(self) -> list[Choice]:
        """Second and third of the model's top three, of whatever type."""
        return [] if self.item.blind else [c for c in self.choices if c.rank < 3 and not c.chosen][:2]


def present(item: ReviewItem) -> ShownItem:
    """What the page needs: a query or two, whatever the email. What the model said is left out of a blind one."""
    email = Email.objects.select_related("customer", "prediction", "department").get(pk=item.email_id)
    known = taxonomy.get().subtypes
    prediction = email.prediction
    assert prediction is not None, "only classified emails are claimed"
    follows = email.in_reply_to or email.references
    position = email.thread.emails.filter(received_at__lt=email.received_at).count() + 1 if follows else 1
    given: dict[str, float] = {} if item.blind else dict(prediction.distribution)
    order = {slug: rank for rank, slug in enumerate(given)}
    if prediction.subtype_id in known:
        prediction.subtype = known[prediction.subtype_id]
    shown = known.get(prediction.subtype.final_id) if prediction.subtype and not item.blind else None
    best = shown.slug if shown else ""
    choices = [
        Choice(s, given.get(s.slug, 0.0), order.get(s.slug, len(order)), s.slug == best)
        for s in known.values()
        if s.active and s.department_id == email.department_id
    ]
    choices.sort(key=lambda c: (c.rank, c.subtype.name))
    said = "" if item.blind else prediction.type
    types = [TypeChoice(v, label, i, v == said) for i, (v, label) in enumerate(EmailType.choices, 1)]
    return ShownItem(
        item,
        email,
        prediction,
        split_quoted(email.body[:MAX_SHOWN]),
        len(email.body) > MAX_SHOWN,
        position,
        types,
        choices,
    )
