"""Labelled emails from CSV or JSONL files, plain or gzipped, read row by row.

A row has `department`, the text as `subject` and `body` (or `email` or `text` for a body
alone), and `type` and `subtype` where it is labelled. Other columns are left alone, so that
an export of the desk can be fed back as it is.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.errors import DataError
from ml.taxonomy import TYPES

CORPUS = Path(__file__).parent / "corpus"
BODY_COLUMNS = ("body", "email", "text")
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Example:
    """One labelled email."""

    department: str
    subject: str
    body: str
    type: str
    subtype: str
    split: str = ""
    sender: str = ""


def open_text(file: Path) -> io.TextIOBase:
    """Open a text file, through gzip where its name says so; undecodable bytes are replaced."""
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return file.open("r", encoding="utf-8-sig", errors="replace", newline="")


def read_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV or JSONL file.

    Raises DataError for another kind of file, a CSV without a text column, or a broken line.
    """
    kind = Path(file.name.removesuffix(".gz")).suffix.lower()
    with open_text(file) as stream:
        if kind == ".csv":
            yield from _csv_rows(stream, file)
        elif kind == ".jsonl":
            yield from _jsonl_rows(stream, file)
        else:
            raise DataError(f"ends in {kind or 'nothing'!r}; allowed: .csv, .jsonl, each also .gz", file=file.name)


def _csv_rows(stream: io.TextIOBase, file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(stream)
    columns = reader.fieldnames or []
    if "department" not in columns or not set(columns) & set(BODY_COLUMNS):
        raise DataError(
            f"has the columns {', '.join(columns) or '(none)'}; needed: department and one of {', '.join(BODY_COLUMNS)}",
            file=file.name,
            line=1,
        )
    for row in reader:
        yield reader.line_num, {k: v or "" for k, v in row.items() if isinstance(k, str)}


def _jsonl_rows(stream: io.TextIOBase, file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"is not JSON: {error}", file=file.name, line=number) from None
        if not isinstance(row, dict):
            raise DataError("is not a JSON object", file=file.name, line=number)
        yield number, {str(k): "" if v is None else str(v) for k, v in row.items()}


def read_examples(file: Path) -> list[Example]:
    """Read a labelled file whole; every row must carry a department, a known type and a subtype."""
    examples = [_example(row, file, line) for line, row in read_rows(file)]
    if not examples:
        raise DataError("holds no rows", file=file.name)
    return examples


def _example(row: dict[str, str], file: Path, line: int) -> Example:
    for field in ("department", "type", "subtype"):
        if not row.get(field):
            raise DataError("is empty or missing; training and evaluation need it", file=file.name, line=line, field=field)
    if row["type"] not in TYPES:
        raise DataError(f"is {row['type']!r}; allowed: {', '.join(TYPES)}", file=file.name, line=line, field="type")
    body = next((row[c] for c in BODY_COLUMNS if row.get(c)), "")
    return Example(
        row["department"], row.get("subject", ""), body, row["type"], row["subtype"], row.get("split", ""), row.get("from", "")
    )


def load_corpus(split: str | None = None) -> list[Example]:
    """The starter corpus, one CSV a sector; `split` is train, test or None for both."""
    examples = [e for file in sorted((CORPUS / "emails").glob("*.csv")) for e in read_examples(file)]
    return [e for e in examples if split in (None, e.split)]


@dataclass(frozen=True)
class Article:
    """One help-centre article of the demo knowledge base."""

    department: str
    slug: str
    title: str
    doc_type: str
    text: str


def load_articles() -> list[Article]:
    """The demo knowledge base, one Markdown file an article with a `---` head."""
    return [_article(file) for file in sorted((CORPUS / "articles").glob("*/*.md"))]


def _article(file: Path) -> Article:
    _, head, text = file.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.strip().splitlines())
    return Article(file.parent.name, file.stem, fields["title"].strip(), fields["doc_type"].strip(), text.strip())


def class_counts(examples: Iterable[Example]) -> dict[tuple[str, str], int]:
    """(department, subtype) → number of rows."""
    counts: dict[tuple[str, str], int] = {}
    for e in examples:
        counts[e.department, e.subtype] = counts.get((e.department, e.subtype), 0) + 1
    return counts
