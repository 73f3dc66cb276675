"""Training rows as files: CSV, JSON lines, Parquet, fastText, Label Studio. Each writer takes rows one by one."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from classifier.models import Export
from classifier.retraining.rows import COLUMNS
from reviewdesk.csv_cells import csv_cells

GROUP = 5_000  # rows of a Parquet row group
NUMBERS = ("email_id", "thread_id")
FRACTIONS = (
    "predicted_type_confidence",
    "predicted_subtype_confidence",
    "seconds",
    "sampling_probability",
)


def write(format: str, rows: Iterable[dict], out: BinaryIO) -> None:
    """Write rows to a binary file in a format of Export.Format; memory stays flat but for a Parquet row group."""
    if format == Export.Format.PARQUET:
        _parquet(rows, out)
        return
    text: dict[str, Callable[[Iterable[dict]], Iterator[str]]] = {
        Export.Format.CSV: _csv,
        Export.Format.JSONL: _jsonl,
        Export.Format.FASTTEXT: _fasttext,
        Export.Format.LABEL_STUDIO: _label_studio,
    }
    for line in text[format](rows):
        out.write(line.encode())


def _csv(rows: Iterable[dict]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for row in rows:
        cells = csv_cells(row[column] for column in COLUMNS)
        writer.writerow(dict(zip(COLUMNS, cells, strict=True)))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _jsonl(rows: Iterable[dict]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _fasttext(rows: Iterable[dict]) -> Iterator[str]:
    """One line an email: its labels, then department and text without line breaks."""
    for row in rows:
        unfit = ["none_fits"] if row["without_subtype"] == "none_fits" else []
        names = [
            row["type"],
            *unfit,
            *(f"{row['department']}.{s}" for s in (row["subtype"], row["second_subtype"]) if s),
        ]
        labels = " ".join(f"__label__{name}" for name in names)
        yield f"{labels} {row['department']} {' '.join(_text(row).split())}\n"


def _text(row: dict) -> str:
    return f"{row['subject']}\n{row['body']}".strip()


def _label_studio(rows: Iterable[dict]) -> Iterator[str]:
    """A list of tasks as Label Studio imports them: choices `type` and `subtype`, the model's as a prediction."""
    yield "["
    for n, row in enumerate(rows):
        yield ("," if n else "") + "\n" + json.dumps(_task(row), ensure_ascii=False)
    yield "\n]\n"


def _task(row: dict) -> dict:
    kept = ("email_id", "message_id", "department", "subject", "source", "snapshot_id")
    seconds = row["seconds"] or 0
    # A choice of its own, so that a project that lists it among the subtypes shows it as it was given.
    given = [row["subtype"] or row["without_subtype"], *([row["second_subtype"]] if row["second_subtype"] else [])]
    answer = {
        "result": _choices(row["type"], given),
        "lead_time": seconds,
        "completed_by": {"username": row["reviewer"]},
        "created_at": row["reviewed_at"],
    }
    said = {
        "model_version": row["model_version"],
        "score": row["predicted_subtype_confidence"],
        "result": _choices(row["predicted_type"], [row["predicted_subtype"]]),
    }
    return {
        "data": {"text": _text(row), **{name: row[name] for name in kept}},
        "annotations": [answer],
        "predictions": [said] if row["model_version"] else [],
    }


def _choices(type_: str, subtypes: list[str]) -> list[dict]:
    def choice(name: str, values: list[str]) -> dict:
        return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": values}}

    named = [s for s in subtypes if s]
    return [choice("type", [type_]), *([choice("subtype", named)] if named else [])]


def _parquet(rows: Iterable[dict], out: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds: dict[str, Any] = {
        **dict.fromkeys(NUMBERS, pa.int64()),
        **dict.fromkeys(FRACTIONS, pa.float64()),
        "blind": pa.bool_(),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        group: list[dict] = []
        for row in rows:
            group.append(row)
            if len(group) == GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
