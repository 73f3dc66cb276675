"""What a drafter gets and gives, and which one the settings choose."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from responses.retrieval.search import Hit
from reviewdesk.backends import Lazy

PASSAGES = 5
PASSAGE_BAR = 0.28  # cosine with the email under which a passage does not count as an answer


@dataclass(frozen=True)
class Request:
    """What a reply is drafted from; `topic` is the name of the subtype, empty while it is withheld.

    `question` is the email as it was searched for, a long one summarised; `hits` are passages over the bar that may be quoted to customers, best first; `earlier` are the turns of the thread
    before the email, oldest first, as (speaker, text).
    """

    subject: str
    body: str
    type: str
    topic: str
    customer_name: str
    signature: str
    question: str
    hits: Sequence[Hit]
    best_score: float | None = None  # of all passages found, over the bar or not
    earlier: Sequence[tuple[str, str]] = ()
    hint: str = ""


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
    own: Sequence[str] = ()  # greeting, courtesy and closing: words that need no source
    prompt_version: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


_COURTESY = {
    "complaint": "Thank you for telling us, and we are sorry for the trouble you have had.",
    "query": "Thank you for your question.",
    "suggestion": "Thank you for taking the time to send us your suggestion.",
}


def courtesy(request: Request) -> str:
    """A line by the type of the email, or by what the agent asks for."""
    kind = "complaint" if re.search(r"(?i)apolog|sorry", request.hint) else request.type
    return _COURTESY.get(kind, "Thank you for your message.")


class Drafter(Protocol):
    """Writes a reply from what was found. `say` is told the text as it grows, where the drafter streams."""

    name: str

    def draft(self, request: Request, say: Callable[[str], object]) -> Reply:
        """Raises BackendError when the model behind it cannot answer."""
        ...

    def summarise(self, text: str, limit: int) -> str:
        """What an email is about in at most `limit` characters, for retrieval."""
        ...


def _extractive() -> Drafter:
    from responses.drafting.extractive import ExtractiveDrafter

    return ExtractiveDrafter()


def _mistral() -> Drafter:
    from responses.drafting.mistral_api import MistralDrafter

    return MistralDrafter.from_settings()


_BACKENDS: dict[str, Callable[[], Drafter]] = {"extractive": _extractive, "mistral": _mistral}
drafter: Lazy[Drafter] = Lazy(lambda: _BACKENDS[settings.DRAFTING]())
