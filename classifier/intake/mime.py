"""Parses one raw message into a ParsedEmail; whatever is wrong with it is noted, never raised."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from typing import Any

from classifier.intake.automatic import automatic_kind
from classifier.intake.charsets import decode
from classifier.intake.html import html_to_text
from classifier.intake.parsed import ParsedAttachment, ParsedEmail

_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_EARLIEST, _LATEST_SKEW_DAYS = datetime(1980, 1, 1, tzinfo=UTC), 2
MAX_BODY = 2_000_000


def parse_message(raw: bytes) -> ParsedEmail:
    """Parse a message of any quality. What cannot be parsed comes back `broken`, with its error."""
    try:
        return _parse(raw)
    except Exception as error:
        text, _ = decode(raw[:MAX_BODY], None)
        reason = f"could not be parsed: {type(error).__name__}: {error}"
        return ParsedEmail(body=text, raw=raw, broken=True, defects=(reason,))


def _parse(raw: bytes) -> ParsedEmail:
    message = message_from_bytes(raw, policy=compat32)
    defects = [f"{type(d).__name__}" for d in message.defects]
    subject = _header(message, "Subject", defects)
    name, address = _sender(message, defects)
    plain, html, attachments = _walk(message, defects)
    return ParsedEmail(
        sender_name=name,
        sender_address=address,
        to=", ".join(a for _, a in getaddresses([str(message.get("To") or "")]) if a)[:2000],
        subject=subject[:1000],
        body=plain[:MAX_BODY],
        html=html[:MAX_BODY],
        received_at=_date(message, defects),
        message_id=_first_id(message, "Message-ID"),
        in_reply_to=_first_id(message, "In-Reply-To"),
        references=tuple(_MESSAGE_ID.findall(str(message.get("References") or "")))[-50:],
        attachments=tuple(attachments),
        automatic=automatic_kind(message, subject, address),
        defects=tuple(dict.fromkeys(defects)),
        broken=not message.keys(),
        raw=raw,
    )


def _header(message: Message, name: str, defects: list[str]) -> str:
    """A header as text: encoded words decoded, raw 8-bit bytes guessed, folds removed."""
    value = message.get(name)
    return "" if value is None else _decoded(value, name, defects)


def _decoded(value: Any, name: str, defects: list[str]) -> str:
    try:
        pieces = decode_header(value)
    except Exception:
        defects.append(f"header {name} is malformed")
        return " ".join(str(value).split())
    text = ""
    for piece, charset in pieces:
        if isinstance(piece, bytes):
            piece, note = decode(piece, None if charset == "unknown-8bit" else charset or "us-ascii")
            if note:
                defects.append(f"header {name}: {note}")
        text += piece.encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def _sender(message: Message, defects: list[str]) -> tuple[str, str]:
    for header in ("From", "Reply-To", "Sender"):
        # The address is taken before decoding: an encoded name may hold commas and other addresses.
        raw = " ".join(str(message.get(header) or "").split())
        name, address = parseaddr(raw if "=?" in raw else _header(message, header, defects))
        if "@" in address and "=?" not in address:
            return _decoded(name, header, defects)[:200], address.lower()[:254]
    defects.append("no sender address")
    return _header(message, "From", defects)[:200], ""


def _first_id(message: Message, header: str) -> str:
    found = _MESSAGE_ID.search(str(message.get(header) or ""))
    return found.group()[:500] if found else ""


def _date(message: Message, defects: list[str]) -> datetime | None:
    value = message.get("Date")
    if not value:
        defects.append("no Date header")
        return None
    try:
        date = parsedate_to_datetime(str(value))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        defects.append(f"Date {str(value)[:60]!r} cannot be read")
        return None
    if date < _EARLIEST or (date - datetime.now(UTC)).days > _LATEST_SKEW_DAYS:
        defects.append(f"Date {str(value)[:60]!r} is out of range")
        return None
    return date


def _walk(message: Message, defects: list[str]) -> tuple[str, str, list[ParsedAttachment]]:
    """Text, HTML and attachments; of alternatives the plain text is the text, further parts are joined."""
    plain: list[str] = []
    html: list[str] = []
    attachments: list[ParsedAttachment] = []
    for part in _leaves(message):
        if part.get_content_type() == "message/rfc822":
            attachments.append(_forwarded(part))
            continue
        payload = bytes(part.get_payload(decode=True) or b"")  # type: ignore[arg-type]
        defects.extend(type(d).__name__ for d in part.defects)
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            text, note = decode(payload, part.get_content_charset())
            if note:
                defects.append(note)
            if kind == "text/html":
                html.append(text)
            if kind == "text/plain" or not getattr(part, "has_plain_sibling", False):
                plain.append(text if kind == "text/plain" else html_to_text(text))
        elif payload:
            content_id = str(part.get("Content-ID") or "").strip().strip("<>")[:200]
            attachments.append(ParsedAttachment(_filename(part, defects), kind[:120], payload, content_id))
    return "\n".join(plain).strip("\n"), "\n".join(html), attachments


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that are not containers, in order; a forwarded message is one part.

    HTML that only repeats the plain text of its multipart/alternative is marked.
    """
    if not message.is_multipart() or message.get_content_type() == "message/rfc822":
        yield message
        return
    parts = [p for p in message.get_payload() if isinstance(p, Message)]
    leaves = [leaf for part in parts for leaf in _leaves(part)]
    texts = [p for p in leaves if p.get_content_type() == "text/plain" and p.get_payload(decode=True)]
    if message.get_content_type() == "multipart/alternative" and texts:
        for leaf in leaves:
            leaf.has_plain_sibling = True  # type: ignore[attr-defined]
    yield from leaves


def _forwarded(part: Message) -> ParsedAttachment:
    inner = part.get_payload(0)
    content = inner.as_bytes() if isinstance(inner, Message) else b""
    return ParsedAttachment("forwarded.eml", "message/rfc822", content)


def _filename(part: Message, defects: list[str]) -> str:
    name = part.get_filename() or ""
    if "=?" in name:
        name = "".join(decode(p, c)[0] if isinstance(p, bytes) else p for p, c in decode_header(name))
    name = re.sub(r"[^\w .()\-]", "_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")
    return name[:200] or f"part.{part.get_content_subtype()[:20]}"
