"""Labelled emails from CSV or JSONL files, plain or gzipped, read row by row.

A row has `department`, the text as `subject` and `body` (or `email` or `text` for a body
alone), and `type` and `subtype` where it is labelled. Other columns are left alone, so that
an export of the desk can be fed back as it is.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.errors import DataError
from ml.files import open_binary
from ml.taxonomy import TYPES

MAX_CHARACTERS = 20_000  # ten times what 512 tokens hold: a huge mail costs no more than a long one
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

    def as_row(self) -> dict[str, str]:
        """The row of a data file that this was read from."""
        row = asdict(self)
        return {"from": row.pop("sender"), **row}


def read_rows(
    file: Path, *, need_department: bool = True, on_broken: Callable[[DataError], object] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV or JSONL file; undecodable bytes are replaced.

    Raises DataError for another kind of file, a CSV without the columns, or a broken line;
    broken JSONL lines go to `on_broken` where it is given, and the rest is read.
    """
    kind = Path(file.name.lower().removesuffix(".gz")).suffix
    if kind not in (".csv", ".jsonl"):
        raise DataError(f"ends in {kind or 'nothing'!r}; allowed: .csv, .jsonl, each also .gz", file=file.name)
    with open_binary(file) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        if kind == ".csv":
            yield from _csv_rows(stream, file, need_department)
        else:
            yield from _jsonl_rows(stream, file, on_broken)


def _csv_rows(stream: io.TextIOBase, file: Path, need_department: bool) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(stream)
    try:
        columns = list(reader.fieldnames or [])
        if (need_department and "department" not in columns) or not set(columns) & set(BODY_COLUMNS):
            shown = ", ".join(columns)[:200] or "(none)"
            needed = f"{'department and ' if need_department else ''}one of {', '.join(BODY_COLUMNS)}"
            raise DataError(f"has the columns {shown}; needed: {needed}", file=file.name, line=1)
        for row in reader:
            yield reader.line_num, {k: _without_guard(v or "") for k, v in row.items() if isinstance(k, str)}
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", file=file.name, line=reader.line_num) from None


def _without_guard(cell: str) -> str:
    """A cell as it was before the desk's own exports put an apostrophe before what a spreadsheet takes for a formula."""
    return cell[1:] if cell.startswith(("'=", "'+", "'-", "'@", "'\t", "'\r")) else cell


def _jsonl_rows(
    stream: io.TextIOBase, file: Path, on_broken: Callable[[DataError], object] | None
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            broken = DataError(f"is not a JSON object: {error}"[:200], file=file.name, line=number)
            if on_broken is None:
                raise broken from None
            on_broken(broken)
            continue
        yield number, {str(k): "" if v is None or v != v else str(v) for k, v in row.items()}  # NaN is no value


def read_examples(file: Path) -> list[Example]:
    """Read the labelled rows of a file; rows without a type or subtype are left out.

    Raises DataError when no row is labelled, or a label is not one of the four types.
    """
    examples = [_example(row, file, line) for line, row in read_rows(file) if row.get("type") and row.get("subtype")]
    if not examples:
        raise DataError("holds no labelled row; needed: type and subtype in at least two rows", file=file.name)
    return examples


def _example(row: dict[str, str], file: Path, line: int) -> Example:
    if not row.get("department"):
        raise DataError("is empty", file=file.name, line=line, field="department")
    if row["type"] not in TYPES:
        raise DataError(f"is {row['type']!r}; allowed: {', '.join(TYPES)}", file=file.name, line=line, field="type")
    body = next((row[c] for c in BODY_COLUMNS if row.get(c)), "")
    return Example(
        row["department"],
        row.get("subject", ""),
        body[:MAX_CHARACTERS],
        row["type"],
        row["subtype"],
        row.get("split", ""),
        row.get("from", ""),
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
