"""Labels out, and back into training as they are."""

import csv
import io
import json
from datetime import timedelta
from hashlib import sha256

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.models import Email, Export, ModelVersion, Verification
from classifier.retraining import exports
from classifier.retraining.exports import path_of, request_export, sweep_exports, write_export
from classifier.retraining.formats import write
from classifier.retraining.rows import COLUMNS, count_labels, label_rows, latest_snapshot
from classifier.review import leases
from classifier.review.services import correct, undo, verify
from ml.data import read_examples
from reviewdesk.errors import DeskError
from tests.classifier.test_review import answer
from tests.factories import make_classified, make_email, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled(agent):
    for i in range(12):
        subtype = ("access_query", "bug_complaint", "outage_complaint")[i % 3]
        email = make_classified(subject=f'Row {i}, "quoted"', body=f"line one {i}\nline two, {subtype}")
        correct(email=email, user=agent, type="", subtype=subtype)
    make_email(body="no label")


def written(format: str, snapshot: int | None = None) -> bytes:
    out = io.BytesIO()
    write(format, label_rows(latest_snapshot() if snapshot is None else snapshot), out)
    return out.getvalue()


def test_the_columns_and_one_row_an_email(labelled):
    rows = list(csv.DictReader(io.StringIO(written("csv").decode())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 12
    assert rows[0]["subject"] == 'Row 0, "quoted"' and rows[0]["body"].startswith("line one 0\nline two")
    assert (rows[0]["source"], rows[0]["predicted_subtype"], rows[0]["model_version"]) == (
        "agent",
        "outage_complaint",
        "test-model",
    )
    assert {r["snapshot_id"] for r in rows} == {f"v{latest_snapshot()}"}


def test_a_spreadsheet_runs_nothing_that_a_customer_wrote_and_training_reads_it_as_it_was(labelled, tmp_path):
    formulas = ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "plain"]
    for email, text in zip(Email.objects.order_by("pk"), formulas, strict=False):
        Email.objects.filter(pk=email.pk).update(subject=text, body=text)
    file = tmp_path / "labels.csv"
    file.write_bytes(written("csv"))
    with file.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [e.body for e in read_examples(file)][:6] == formulas


def test_jsonl_and_parquet_say_the_same(labelled):
    import pyarrow.parquet as pq

    rows = [json.loads(line) for line in written("jsonl").splitlines()]
    assert len(rows) == 12 and tuple(rows[0]) == COLUMNS
    assert pq.read_table(io.BytesIO(written("parquet"))).to_pylist() == rows


def test_fasttext_has_a_line_an_email(labelled):
    lines = written("fasttext").decode().splitlines()
    assert len(lines) == 12
    assert (
        lines[0].startswith("__label__query __label__it.access_query it Row 0,") and "line one 0 line two" in lines[0]
    )


def test_label_studio_has_the_answer_and_the_prediction(labelled):
    tasks = json.loads(written("label-studio"))
    assert len(tasks) == 12 and tasks[0]["data"]["text"].startswith('Row 0, "quoted"')
    chosen = {r["from_name"]: r["value"]["choices"] for r in tasks[0]["annotations"][0]["result"]}
    assert chosen == {"type": ["query"], "subtype": ["access_query"]}
    assert tasks[0]["predictions"][0]["model_version"] == "test-model"


def test_a_second_label_and_a_comment_have_their_columns(reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    given = answer(item, second_subtype="access_query", reason="asks for both")
    verify(item=item, user=reviewer, answer=given)
    (row,) = label_rows(latest_snapshot())
    assert (row["second_subtype"], row["comment"], row["reviewer"]) == (
        "access_query",
        "asks for both",
        reviewer.username,
    )


def test_a_snapshot_stays_what_it_was_whatever_is_answered_and_undone_later(labelled, agent, reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    verify(item=item, user=reviewer, answer=answer(item))
    snapshot = latest_snapshot()
    before = written("jsonl", snapshot)
    undo(user=reviewer)
    correct(email=Email.objects.first(), user=agent, type="", subtype="bug_complaint")
    assert written("jsonl", snapshot) == before
    assert count_labels(snapshot) == 13 and count_labels(latest_snapshot()) == 12
    assert next(label_rows(latest_snapshot()))["subtype"] == "bug_complaint"


@pytest.mark.parametrize("format", Export.Format.values)
def test_an_export_is_written_by_a_worker_with_its_checksum(labelled, admin, format):
    export = request_export(format=format, by=admin)
    write_export(pk=export.pk)
    export.refresh_from_db()
    data = path_of(export).read_bytes()
    assert (export.status, export.rows, export.total, export.size) == ("done", 12, 12, len(data))
    assert export.sha256 == sha256(data).hexdigest()


def test_a_lost_export_is_begun_again_and_a_failed_one_leaves_nothing(labelled, admin, monkeypatch, settings):
    export = request_export(format="csv", by=admin)
    Export.objects.update(status="running", touched_at=timezone.now() - timedelta(hours=1))
    asked = []
    monkeypatch.setattr(exports, "enqueue", lambda *call: asked.append(call))
    sweep_exports()
    assert asked == [("classifier.write_export", export.pk)]
    monkeypatch.setattr(exports, "write", lambda *args: 1 / 0)
    write_export(pk=export.pk)
    export.refresh_from_db()
    assert export.status == "failed" and "ZeroDivisionError" in export.error
    assert not list(exports.folder().glob(f".{export.pk}.*"))


def test_an_unknown_format_is_named(admin):
    with pytest.raises(DeskError, match="allowed: csv, jsonl, parquet, fasttext, label-studio"):
        request_export(format="xlsx", by=admin)


def test_the_page_asks_and_a_broken_download_goes_on(client, labelled, admin, django_capture_on_commit_callbacks):
    client.force_login(admin)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/retraining/exports/add/", {"format": "csv"})
    export = Export.objects.get()
    assert "12 rows" in client.get("/retraining/").content.decode()
    address = f"/retraining/exports/{export.pk}/file/"
    whole = b"".join(client.get(address).streaming_content)
    rest = client.get(address, headers={"Range": "bytes=100-", "If-Range": f'"{export.sha256}"'})
    assert rest.status_code == 206 and b"".join(rest.streaming_content) == whole[100:]
    assert rest["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    stale = client.get(address, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert stale.status_code == 200 and b"".join(stale.streaming_content) == whole
    assert client.get(address, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_exports_by_the_api(client, labelled, admin, django_capture_on_commit_callbacks):
    client.force_login(admin)
    with django_capture_on_commit_callbacks(execute=True):
        asked = client.post("/api/v1/exports", {"format": "jsonl"}, "application/json")
    assert asked.status_code == 202
    found = client.get(f"/api/v1/exports/{asked.json()['id']}").json()
    assert (found["status"], found["rows"], found["snapshot_id"]) == ("done", 12, f"v{latest_snapshot()}")
    assert len(b"".join(client.get(f"/api/v1/exports/{found['id']}/file").streaming_content).splitlines()) == 12
    assert client.post("/api/v1/exports", {"format": "doc"}, "application/json").status_code == 400


def test_an_export_trains_a_model_as_it_is(labelled, tmp_path, settings):
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    call_command("export_labels", str(tmp_path / "labels.csv"))
    assert len(read_examples(tmp_path / "labels.csv")) == 12
    call_command("train", data=tmp_path / "labels.csv", name="from-export", frozen=True)
    version = ModelVersion.objects.get(version="from-export")
    assert version.state == "candidate" and version.manifest["training_size"] == 12
    call_command("evaluate", "from-export", data=tmp_path / "labels.csv")
    with pytest.raises(CommandError, match="choose another name"):
        call_command("train", data=tmp_path / "labels.csv", name="from-export", frozen=True)


def test_the_number_of_queries_does_not_grow_with_the_rows(labelled, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        list(label_rows(latest_snapshot()))
    assert Verification.objects.count() == 12
