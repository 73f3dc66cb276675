"""Splits the text of an email into what the sender wrote now, the quoted history and the signature.

Works line by line in one pass, on text of any length, and loses no character: the three
parts joined give the text back. When everything is quoted (a bare forward, say), all of it
counts as visible, since somebody sent it on purpose.

    >>> split_quoted("Thanks!\\n\\nOn Tue, 3 Nov 2026, Ann wrote:\\n> Done.\\n").visible
    'Thanks!\\n\\n'
"""

import re
from dataclasses import dataclass

# "On <date>, <name> wrote:" as the common clients write it, in the languages we meet most.
_INTRO = re.compile(
    r"^\s*(?:on|am|le|el|il|op|em|w dniu|den|dne)\b.{4,200}\b"
    r"(?:wrote|schrieb.*|a écrit|escribió|ha scritto|schreef.*|escreveu|napisał.*|skrev.*|napsal.*)\s*:\s*$",
    re.IGNORECASE,
)
_BY_CLIENT = re.compile(r"\S@\S|\d{1,2}[:.h]\d{2}")
_SEPARATOR = re.compile(
    r"^\s*(?:-{2,}\s*(?:original message|ursprüngliche nachricht|message d'origine|mensaje original|"
    r"forwarded message|messaggio originale|oorspronkelijk bericht)\s*-{2,})\s*$",
    re.IGNORECASE,
)
_UNDERSCORES = re.compile(r"^\s*_{20,}\s*$")  # Outlook draws one above the headers of the history
_HEADER = re.compile(r"^\s*\*?(?:from|von|de|da|van)\s*:\*?\s+\S", re.IGNORECASE)
_HEADER_NEXT = re.compile(
    r"^\s*\*?(?:sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|à|objet|enviado|para|asunto|inviato|"
    r"oggetto|verzonden|aan|onderwerp)\s*:\*?",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"^\s*(?:sent from my|get outlook for|von meinem .{1,40} gesendet|gesendet mit|envoyé de mon|"
    r"enviado desde mi|inviato da|verstuurd vanaf mijn|wysłane z)\b.{0,80}$",
    re.IGNORECASE,
)
_SIGNATURE_DASHES = re.compile(r"^--\s?$")
_MAX_SIGNATURE_LINES = 12


@dataclass(frozen=True)
class SplitText:
    """`visible + signature + quoted` is the text that came in."""

    visible: str
    signature: str
    quoted: str


def split_quoted(text: str) -> SplitText:
    """Split a plain-text body; see the module for the rules."""
    lines = text.splitlines(keepends=True)
    cut = _history_start(lines)
    signature = _signature_start(lines[:cut])
    visible = "".join(lines[:signature])
    if not visible.strip():
        return SplitText(text, "", "")
    return SplitText(visible, "".join(lines[signature:cut]), "".join(lines[cut:]))


def _history_start(lines: list[str]) -> int:
    """Index of the first line of the trailing history; len(lines) when there is none.

    Answers written between quoted lines are kept: `>` lines only count as history when
    nothing but quotes and blank lines follows them.
    """
    for i, line in enumerate(lines):
        following = lines[i + 1 : i + 4]
        if _SEPARATOR.match(line):
            return i
        if _UNDERSCORES.match(line) and any(_HEADER.match(x) for x in following):
            return i
        if _HEADER.match(line) and sum(bool(_HEADER_NEXT.match(x)) for x in following) >= 2:
            return i
        # Clients wrap the introduction over two lines.
        wrapped = line.rstrip("\r\n") + " " + (following[0] if following else "")
        intro = line.strip() and (_INTRO.match(line) or _INTRO.match(wrapped))
        if intro and _is_history(intro.group(), lines[i + 1 if _INTRO.match(line) else i + 2 :]):
            return i
    return _trailing_quotes(lines)


def _is_history(intro: str, lines: list[str]) -> bool:
    """True when only quoted lines follow, or unquoted ones after an introduction that a mail client wrote.

    "On Monday your agent wrote:" is the sender's own sentence; a client gives an address or a time.
    """
    quoted = [bool(x.lstrip().startswith(">")) for x in lines if x.strip()]
    return all(quoted) or (not any(quoted) and bool(_BY_CLIENT.search(intro)))


def _trailing_quotes(lines: list[str]) -> int:
    start = len(lines)
    while start and (not lines[start - 1].strip() or lines[start - 1].lstrip().startswith(">")):
        start -= 1
    return start if any(x.lstrip().startswith(">") for x in lines[start:]) else len(lines)


def _signature_start(lines: list[str]) -> int:
    """Index of the first line of a signature: after `-- `, or a client's "Sent from my …"."""
    for i in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_SIGNATURE_LINES), -1):
        bare = lines[i].rstrip("\r\n")
        if _SIGNATURE_DASHES.match(bare) or _SENT_FROM.match(bare):
            return i
    return len(lines)
