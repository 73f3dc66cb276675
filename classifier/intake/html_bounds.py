"""Bounds the work that an email's HTML can cause, before any parser builds a tree of it.

Parsers of HTML take quadratic time on deep nesting, and copy formatting that is left open into every
paragraph after it: 50 kB of such HTML becomes 80 MB. What leaves here is nested in order, to a limited
depth, with a limited number of elements. Tags are dropped for that, text never is.
"""

import re
from collections import Counter
from itertools import islice

MAX_DEPTH = 200  # elements within each other
MAX_FORMATTING = 12  # of these, elements such as <b>, which parsers open again in the next paragraph
MAX_ELEMENTS = 50_000
MAX_ATTRIBUTES = 40  # of one element

# A tag: its attributes may hold < and > within quotes. Possessive, so that nothing is tried twice.
_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<[!?][^>]*>?"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]{0,40})"
    # Where a quote is never closed, the tag ends at the first >, as the sender meant it.
    r"(?P<attributes>(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*+(?=>)|[^<>]*+)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"[^\s\"'>/=]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
# A parser closes these by itself where the next one begins, so that they cannot nest without others.
_SELF_CLOSING = frozenset(
    ["p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup"]
)
_FORMATTING = frozenset(
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"]
)
_DROPPED_WITH_TEXT = ("script", "style", "title")
_TEXT_ONLY = frozenset(
    ["textarea", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext", "select", "math", "svg", "template"]
)


def bounded(html: str, *, depth: int = MAX_DEPTH) -> str:
    """The HTML with its elements nested in order and within the limits; time grows with its length only."""
    html = _without_code(html)
    pieces: list[str] = []
    elements = _OpenElements(depth)
    position = 0
    for token in _TOKEN.finditer(html):
        pieces.append(_text(html[position : token.start()]))
        position = token.end()
        name = (token["name"] or "").lower()
        if not name or name in _TEXT_ONLY or name in _DROPPED_WITH_TEXT:
            continue
        if token["close"]:
            pieces.append(elements.close(name))
        else:
            pieces.append(elements.open(name, token["attributes"]))
    pieces.append(_text(html[position:]))
    pieces.append(elements.close_all())
    return "".join(pieces)


def _without_code(html: str) -> str:
    """Without the content of scripts and style sheets, which is no text of the email."""
    for name in _DROPPED_WITH_TEXT:
        html = re.sub(rf"(?is)<{name}\b.*?(?:</{name}\s*>|\Z)", "", html)
    return html


def _text(text: str) -> str:
    """A `<` that begins no tag is text: a parser that sees one there would build what was not counted."""
    return text.replace("<", "&lt;")


class _OpenElements:
    """The elements that are open, innermost last, and those that were left out for being too many or too deep."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._stack: list[str] = []
        self._open: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._formatting = 0
        self._elements = 0

    def open(self, name: str, attributes: str) -> str:
        self._elements += 1
        nests = name not in _VOID and name not in _SELF_CLOSING
        too_deep = nests and (
            len(self._stack) >= self._depth or (name in _FORMATTING and self._formatting >= MAX_FORMATTING)
        )
        if self._elements > MAX_ELEMENTS or too_deep:
            self._left_out[name] += nests
            return ""
        if nests:
            self._stack.append(name)
            self._open[name] += 1
            self._formatting += name in _FORMATTING
        kept = " ".join(match.group() for match in islice(_ATTRIBUTE.finditer(attributes), MAX_ATTRIBUTES))
        return f"<{name} {kept}>" if kept else f"<{name}>"

    def close(self, name: str) -> str:
        if name in _VOID:
            return ""
        if name in _SELF_CLOSING:
            return f"</{name}>" if self._elements <= MAX_ELEMENTS else ""
        if self._left_out[name]:
            self._left_out[name] -= 1
            return ""
        if not self._open[name]:
            return ""  # it was never opened
        closed: list[str] = []
        while not closed or closed[-1] != f"</{name}>":
            closed.append(self._pop())
        return "".join(closed)

    def close_all(self) -> str:
        return "".join(self._pop() for _ in range(len(self._stack)))

    def _pop(self) -> str:
        name = self._stack.pop()
        self._open[name] -= 1
        self._formatting -= name in _FORMATTING
        return f"</{name}>"
