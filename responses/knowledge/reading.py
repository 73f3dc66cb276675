"""Files of a knowledge base to Markdown text: PDF, Word, HTML, Markdown, plain text, FAQ tables, and zips of them.

What cannot be read is refused with the reason: an encrypted PDF, a scan without text, a table without the columns.
Scripts, macros and hidden text are never taken over.
"""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from classifier.intake.charsets import decode
from responses.knowledge.html import html_to_markdown
from reviewdesk.errors import DeskError

MAX_BYTES = 50 * 2**20
MAX_UNPACKED = 400 * 2**20
MAX_ENTRIES = 5_000


@dataclass(frozen=True)
class Reading:
    """A file as text; `title` and `doc_type` where the file says them, `note` what a person should know of it."""

    text: str
    title: str = ""
    doc_type: str = ""
    note: str = ""


def read_file(name: str, data: bytes) -> Reading:
    """Raises DeskError naming the file and why it cannot be read."""
    kind = PurePosixPath(name).suffix.lower()
    if kind not in READERS:
        raise DeskError(f"{name}: ends in {kind or 'nothing'!r}; allowed: {', '.join(READERS)}")
    if len(data) > MAX_BYTES:
        raise DeskError(f"{name}: has {len(data):,} bytes; allowed: up to {MAX_BYTES:,}")
    try:
        reading = READERS[kind](data)
    except DeskError as error:
        raise DeskError(f"{name}: {error.message}") from None
    if not reading.text.strip():
        raise DeskError(f"{name}: holds no text")
    return reading


def files_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of a file, of the readable files of a folder, or of a zip. Raises DeskError."""
    if path.is_dir():
        for file in sorted(f for f in path.rglob("*") if f.suffix.lower() in READERS):
            yield str(file.relative_to(path)), _bytes(file)
    elif path.suffix.lower() == ".zip":
        yield from unzip(path.name, _bytes(path))
    else:
        yield path.name, _bytes(path)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DeskError(f"{file}: cannot be read: {error.strerror}") from None


def unzip(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the readable files in a zip; nothing is written to disk."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [e for e in archive.infolist() if PurePosixPath(e.filename).suffix.lower() in READERS]
        entries = [e for e in entries if not e.is_dir() and not e.filename.startswith("__MACOSX/")]
        _check_size(name, entries)
        for entry in entries:
            yield entry.filename, archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DeskError(f"{name}: is no zip that can be read: {error}") from None


def _check_size(name: str, entries: list[zipfile.ZipInfo]) -> None:
    size = sum(e.file_size for e in entries)
    if len(entries) > MAX_ENTRIES or size > MAX_UNPACKED:
        raise DeskError(
            f"{name}: unpacks to {len(entries):,} files of {size:,} bytes; "
            f"allowed: {MAX_ENTRIES:,} files, {MAX_UNPACKED:,} bytes"
        )


def _pdf(data: bytes) -> Reading:
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as document:
            pages = [_page(document, i) for i in range(len(document))]
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise DeskError("is encrypted; save it without a password and upload that") from None
        pages = _pdf_pages_by_pypdf(data, str(error))
    empty = sum(not page.strip() for page in pages)
    if empty == len(pages):
        raise DeskError(
            f"none of its {len(pages)} pages holds text; it is a scan: have its text recognised (OCR) first"
        )
    note = f"{empty} of {len(pages)} pages hold no text; they may be scans" if empty else ""
    return Reading(re.sub(r"(\w)-\n(?=[a-zß-ÿ])", r"\1", "\n\n".join(p.strip() for p in pages)), note=note)


def _page(document, number: int) -> str:
    page = document[number]
    text = page.get_textpage().get_text_bounded()
    page.close()
    return text.replace("\r\n", "\n").replace("\x00", "")


def _pdf_pages_by_pypdf(data: bytes, reason: str) -> list[str]:
    """A second reader, more patient with damaged files."""
    import pypdf

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise DeskError("is encrypted; save it without a password and upload that")
        return [page.extract_text() for page in reader.pages]
    except DeskError:
        raise
    except Exception as error:  # pypdf raises whatever the damage leads to
        raise DeskError(f"is no PDF that can be read: {reason}; {type(error).__name__}") from None


def _docx(data: bytes) -> Reading:
    import mammoth

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size("the document", archive.infolist())
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=mammoth.images.img_element(lambda image: {}))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as error:
        raise DeskError(f"is no Word document that can be read: {error}") from None
    return Reading(html_to_markdown(html.value).text)


def _decoded(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """Text and a note of what was wrong with its charset; a byte order mark says it best."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        declared = "utf-16"
    text, note = decode(data, declared)
    return text.lstrip("\ufeff"), note


def _html(data: bytes) -> Reading:
    declared = re.search(rb"""<meta[^>]+charset=["']?([\w-]+)""", data[:4096], re.IGNORECASE)
    page = html_to_markdown(_decoded(data, declared.group(1).decode() if declared else None)[0])
    return Reading(page.text, page.title)


def _markdown(data: bytes) -> Reading:
    """A `---` head may give `title` and `doc_type`."""
    text, note = _decoded(data)
    text, fields = text.replace("\r\n", "\n"), {}
    if text.startswith("---\n") and text.count("---\n") >= 2:
        _, head, text = text.split("---\n", 2)
        fields = dict(line.split(": ", 1) for line in head.strip().splitlines() if ": " in line)
    return Reading(text.strip(), fields.get("title", "").strip(), fields.get("doc_type", "").strip(), note)


def _faq(data: bytes) -> Reading:
    """Each row a question as a heading with its answer."""
    text, note = _decoded(data)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    columns = {(name or "").strip().lower(): name for name in rows.fieldnames or []}
    if not {"question", "answer"} <= set(columns):
        shown = ", ".join(columns)[:200] or "(none)"
        raise DeskError(f"has the columns {shown}; needed: question and answer")
    pairs = [((r[columns["question"]] or "").strip(), (r[columns["answer"]] or "").strip()) for r in rows]
    return Reading("\n\n".join(f"## {' '.join(q.split())}\n\n{a}" for q, a in pairs if q and a), note=note)


READERS: dict[str, Callable[[bytes], Reading]] = {
    ".pdf": _pdf, ".docx": _docx, ".docm": _docx, ".html": _html, ".htm": _html, ".md": _markdown, ".txt": _markdown,
    ".csv": _faq,
}  # fmt: skip
