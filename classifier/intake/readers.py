"""Reads mbox, eml, csv and jsonl files, each gzipped or plain, as a stream of parsed emails.

A broken piece becomes a Rejected and the stream goes on; a file that cannot be read at all
raises DataError.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import BinaryIO

from django.utils.dateparse import parse_datetime

from classifier.intake.charsets import printable
from classifier.intake.mime import parse_message
from classifier.intake.parsed import MAX_MESSAGE_BYTES, ParsedEmail, Rejected
from ml.data import BODY_COLUMNS, read_rows
from ml.errors import DataError
from ml.files import open_binary

ALLOWED = (".mbox", ".eml", ".csv", ".jsonl")
_QUOTED_FROM = re.compile(rb"^>+From ")
_HEADER = re.compile(rb"^[!-9;-~]+:", re.MULTILINE)
_PIECE = 2**20

Item = ParsedEmail | Rejected


def read_file(file: Path, *, name: str = "", need_department: bool = True) -> Iterator[Item]:
    """Yield what a file holds; its kind is told by the name's ending, `.gz` aside.

    `name` is what messages call the file, where it was stored under another one.
    """
    shown = name or file.name
    kind = Path(shown.lower().removesuffix(".gz")).suffix
    if kind == ".mbox":
        return _read_mbox(file, shown)
    if kind == ".eml":
        return _read_eml(file, shown)
    if kind in (".csv", ".jsonl"):
        return _read_rows(file, shown, need_department)
    raise DataError(f"ends in {kind or 'nothing'!r}; allowed: {', '.join(ALLOWED)}, each also .gz", file=shown)


def too_big(size: int) -> str:
    return f"message has {size / 2**20:.1f} MB; allowed: {MAX_MESSAGE_BYTES // 2**20} MB"


def _read_eml(file: Path, shown: str) -> Iterator[Item]:
    with open_binary(file) as stream:
        raw = stream.read(MAX_MESSAGE_BYTES + 1)
    if len(raw) > MAX_MESSAGE_BYTES:
        yield Rejected(shown, too_big(max(len(raw), file.stat().st_size)), field="size")
    elif not _HEADER.search(raw[:2000]):
        raise DataError("is not an email: it has no header line such as 'From: …'", file=shown)
    else:
        yield parse_message(raw)


def _read_mbox(file: Path, shown: str) -> Iterator[Item]:
    with open_binary(file) as stream:
        first = stream.readline(_PIECE)
        while first and not first.strip():
            first = stream.readline(_PIECE)
        if not first.startswith(b"From "):
            raise DataError("is not an mbox: its first line must start with 'From '", file=shown, line=1)
        for line, size, raw in _messages(stream):
            if size > MAX_MESSAGE_BYTES:
                yield Rejected(shown, too_big(size), line=line, field="size")
            else:
                yield parse_message(raw)


def _messages(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """(first line, size in bytes, content) of each message; content over the limit is not kept."""
    number, start, size, blank = 1, 2, 0, True
    lines: list[bytes] = []
    whole = True  # the last piece read ended a line
    while piece := stream.readline(_PIECE):
        if whole:
            number += 1
            if blank and piece.startswith(b"From "):
                yield start, size, b"".join(lines)
                lines, size, start, blank = [], 0, number + 1, False
                continue
            if _QUOTED_FROM.match(piece):
                piece = piece[1:]
            blank = not piece.strip(b"\r\n")
        whole = piece.endswith(b"\n")
        size += len(piece)
        if size <= MAX_MESSAGE_BYTES:
            lines.append(piece)
    yield start, size, b"".join(lines)


def _read_rows(file: Path, shown: str, need_department: bool) -> Iterator[Item]:
    broken: list[DataError] = []
    for line, row in read_rows(file, need_department=need_department, on_broken=broken.append):
        yield from (Rejected(shown, e.reason, e.line, e.field) for e in broken)
        broken.clear()
        try:
            yield row_email(row, line=line)
        except ValueError as error:
            field, reason = error.args
            yield Rejected(shown, reason, line=line, field=field)
    yield from (Rejected(shown, e.reason, e.line, e.field) for e in broken)


def row_email(row: dict[str, str], *, line: int | None = None) -> ParsedEmail:
    """A row of the data format, or the fields of the API, as an email.

    Raises ValueError(field, reason).
    """
    row = {key: printable(value) for key, value in row.items()}
    body = next((row[c] for c in BODY_COLUMNS if row.get(c)), "")
    if len(body.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
        raise ValueError("body", too_big(len(body.encode("utf-8", "replace"))))
    name, address = parseaddr(row.get("from", ""))
    return ParsedEmail(
        sender_name=name[:200],
        sender_address=address.lower()[:254],
        to=row.get("to", "")[:2000],
        subject=row.get("subject", "")[:1000],
        body=body,
        received_at=row_date(row.get("received_at", "")),
        message_id=row.get("message_id", "")[:500],
        in_reply_to=row.get("in_reply_to", "")[:500],
        external_id=row.get("external_id", "")[:200],
        department=row.get("department", ""),
        type=row.get("type", ""),
        subtype=row.get("subtype", ""),
        line=line,
    )


def row_date(value: str) -> datetime | None:
    if not value:
        return None
    try:
        date = parse_datetime(value)
        date = date and (date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC))
    except (ValueError, OverflowError):
        date = None
    if date is None:
        raise ValueError("received_at", f"is {value[:60]!r}; allowed: ISO 8601, such as 2026-11-23T09:30:00Z")
    return date
