"""What a language model is asked: sources, the thread while it fits, and the email, each fenced as data.

The window is the customer's 8,000 tokens, counted by the embedder's tokenizer: 2,500 for passages, 300 for the template,
200 for the question where a longer one must be cut, the rest for what came before and the answer. Templates are files;
their name is the version that a draft records.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from ml.chunking import sentence_spans
from ml.tokenizing import email_text
from responses.drafting.base import Request
from responses.drafting.privacy import Masked, mask
from responses.retrieval.search import Hit

VERSION = "reply-1"
WINDOW, PASSAGE_TOKENS, TEMPLATE_TOKENS, QUESTION_TOKENS = 8_000, 2_500, 300, 200
ANSWER_TOKENS = 1_500
EARLIER_TOKENS = 1_000
KEPT = 3  # passages, where all do not fit
TEMPLATES = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Prompt:
    """Messages for a chat API; `hits` are the passages in them, numbered from 1; `masked` gives private data back."""

    system: str
    user: str
    hits: Sequence[Hit]
    masked: Masked
    version: str = VERSION


def build_prompt(request: Request, tokenizer: Tokenizer) -> Prompt:
    """The customer's words are masked; what is too long is cut at a sentence, the email last of all."""
    hits = fitting(request.hits, tokenizer)
    used = sum(_count(h.text, tokenizer) for h in hits)
    earlier = _earlier(request.earlier, min(EARLIER_TOKENS, PASSAGE_TOKENS + EARLIER_TOKENS - used), tokenizer)
    room = WINDOW - ANSWER_TOKENS - TEMPLATE_TOKENS - PASSAGE_TOKENS - EARLIER_TOKENS
    email = _cut(email_text(request.subject, request.body), max(room, QUESTION_TOKENS), tokenizer)
    said = mask("\x1e".join([request.hint, email, *earlier]))
    hint, email, *earlier = said.text.split("\x1e")
    fence = f"<<<{secrets.token_hex(6)}>>>"

    def fenced(text: str) -> str:
        return f"{fence}\n{_unfenced(text)}\n{fence}"

    parts = [
        f"Source {n} ({h.title}{f', {h.heading}' if h.heading else ''}):\n{fenced(h.text)}"
        for n, h in enumerate(hits, 1)
    ]
    if earlier:
        parts.append("Earlier in this conversation:\n" + fenced("\n\n".join(earlier)))
    parts.append(f"The customer's email{f' (about: {request.topic})' if request.topic else ''}:\n{fenced(email)}")
    if hint:
        parts.append(f"The agent asks for this draft: {hint}")
    template = (TEMPLATES / f"{VERSION}.txt").read_text(encoding="utf-8")
    return Prompt(template.replace("{fence}", fence), "\n\n".join(parts), hits, said)


def fitting(hits: Sequence[Hit], tokenizer: Tokenizer) -> list[Hit]:
    """All passages if they fit; else the three nearest to the question, the last of them cut at a sentence."""
    if sum(_count(h.text, tokenizer) for h in hits) <= PASSAGE_TOKENS:
        return list(hits)
    kept, room = [], PASSAGE_TOKENS
    for hit in sorted(hits, key=lambda h: -h.score)[:KEPT]:
        text = _cut(hit.text, room, tokenizer)
        if text:
            kept.append(Hit(**{**vars(hit), "text": text}))
            room -= _count(text, tokenizer)
    return kept


def _earlier(turns: Sequence[tuple[str, str]], room: int, tokenizer: Tokenizer) -> list[str]:
    """The latest turns that fit whole, oldest first."""
    kept: list[str] = []
    for speaker, text in reversed(turns):
        line = f"{speaker}: {text}"
        room -= _count(line, tokenizer)
        if room < 0:
            break
        kept.insert(0, line)
    return kept


def _cut(text: str, tokens: int, tokenizer: Tokenizer) -> str:
    """The text's first sentences within so many tokens; at least a part of the first."""
    encoded = tokenizer.encode(text, add_special_tokens=False)
    if len(encoded.ids) <= tokens:
        return text
    if tokens <= 0:
        return ""
    end = encoded.offsets[tokens - 1][1]
    whole = [b for _, b in sentence_spans(text) if b <= end]
    return text[: whole[-1] if whole else end].rstrip()


def _count(text: str, tokenizer: Tokenizer) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def _unfenced(text: str) -> str:
    """Nothing in the data can close a fence or open one."""
    return re.sub(r"<{3,}|>{3,}", "…", text)
