"""What a drafter gets and gives, and which one the settings choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from responses.retrieval.base import Hit
from reviewdesk.backends import Lazy


@dataclass(frozen=True)
class Request:
    """What a reply is drafted from; `topic` is the name of the subtype, empty while it is withheld."""

    subject: str
    body: str
    type: str
    topic: str
    customer_name: str
    signature: str
    department_id: int


@dataclass(frozen=True)
class Source:
    """A numbered source: `[number]` in the body cites `quote`, words of the passage."""

    number: int
    hit: Hit
    quote: str


@dataclass(frozen=True)
class Reply:
    """A draft; without sources `body` is empty, since nothing would ground it."""

    body: str
    sources: Sequence[Source]
    model: str


class Drafter(Protocol):
    name: str

    def draft(self, request: Request) -> Reply: ...


def _extractive() -> Drafter:
    from responses.drafting.extractive import ExtractiveDrafter

    return ExtractiveDrafter()


_BACKENDS: dict[str, Callable[[], Drafter]] = {"extractive": _extractive}
drafter: Lazy[Drafter] = Lazy(lambda: _BACKENDS[settings.DRAFTING]())
