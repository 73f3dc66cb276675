"""Imports a whole file: reads, stores in batches, counts, and goes on past what is broken."""

from collections.abc import Callable
from pathlib import Path

from classifier.intake.parsed import ImportResult, ParsedEmail, Rejected
from classifier.intake.readers import read_file
from classifier.intake.services import BATCH, Intake, Received
from classifier.models import Department
from ml.errors import DataError
from reviewdesk.people.models import User

MAX_REJECTED = 1_000  # so that a wrong file of a million rows does not drown the report


def import_file(
    file: Path,
    *,
    name: str = "",
    department: Department | None = None,
    create_labels: bool = False,
    user: User | None = None,
    on_progress: Callable[[ImportResult], None] = lambda result: None,
) -> ImportResult:
    """Import one file, on behalf of `user` where there is one. Nothing of the file is lost when part of it is broken: the rest is kept."""
    shown = name or file.name
    result = ImportResult()
    intake = Intake(department=department, create_labels=create_labels, user=user)
    batch: list[ParsedEmail] = []
    try:
        for item in read_file(file, name=shown, need_department=department is None):
            if isinstance(item, Rejected):
                _reject(result, item)
                continue
            batch.append(item)
            if len(batch) == BATCH:
                _take(result, shown, batch, intake.receive(batch))
                batch = []
                on_progress(result)
    except DataError as error:
        _reject(result, Rejected(shown, error.reason, error.line, error.field))
    if batch:
        _take(result, shown, batch, intake.receive(batch))
    on_progress(result)
    return result


def _take(result: ImportResult, shown: str, batch: list[ParsedEmail], received: list[Received]) -> None:
    for parsed, outcome in zip(batch, received, strict=True):
        if outcome.status == "new":
            result.new += 1
            result.unreadable += bool(outcome.email and outcome.email.unreadable)
        elif outcome.status == "duplicate":
            result.duplicates += 1
        else:
            field, reason = outcome.error
            _reject(result, Rejected(shown, reason, parsed.line, field))


def _reject(result: ImportResult, rejected: Rejected) -> None:
    if len(result.rejected) < MAX_REJECTED:
        result.rejected.append(rejected)
