"""Files in: each email once, broken pieces named, the rest kept."""

import gzip
import json
import mailbox
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DataError

from classifier.intake import services
from classifier.intake.parsed import MAX_MESSAGE_BYTES
from classifier.models import Attachment, Department, Email, Subtype, Verification
from tests.factories import make_department, make_parsed

DATA = settings.BASE_DIR.parent / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data lies beside the project, not in it")


def run(capsys, *files, **options) -> dict:
    call_command("import_emails", *map(str, files), json=True, **options)
    return json.loads(capsys.readouterr().out)


def mbox(file: Path, *bodies: str) -> Path:
    box = mailbox.mbox(file)
    for i, body in enumerate(bodies):
        box.add(
            f"From: a{i}@example.com\nMessage-ID: <{file.stem}{i}@x>\nSubject: s{i}\nDate: Tue, 03 Nov 2026 10:00:00 +0000\n\n{body}\n"
        )
    box.close()
    return file


@pytest.fixture
def it(db):
    return make_department("it")


def test_an_mbox_twice_changes_nothing(it, tmp_path, capsys):
    file = mbox(tmp_path / "m.mbox", "one", "two\n\nFrom here on it is fine", "three")
    assert run(capsys, file, department="it") == {"new": 3, "duplicates": 0, "unreadable": 0, "rejected": []}
    assert run(capsys, file, department="it") == {"new": 0, "duplicates": 3, "unreadable": 0, "rejected": []}
    assert Email.objects.get(subject="s1").body == "two\n\nFrom here on it is fine"


def test_rows_without_a_message_id_count_their_occurrences(it, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("department,subject,body\nit,,Where is it?\nit,,Where is it?\nit,,Other\n")
    assert run(capsys, tmp_path / "a.csv")["new"] == 3
    assert run(capsys, tmp_path / "a.csv")["duplicates"] == 3


def test_a_reused_message_id_is_a_new_marked_email(it, tmp_path, capsys):
    for name, body in (("a.eml", "one"), ("b.eml", "two")):
        (tmp_path / name).write_text(f"From: a@example.com\nMessage-ID: <same@x>\nSubject: s\n\n{body}\n")
    assert run(capsys, tmp_path / "a.eml", tmp_path / "b.eml", department="it")["new"] == 2
    assert sorted(Email.objects.values_list("message_id_reused", flat=True)) == [False, True]
    assert run(capsys, tmp_path / "b.eml", department="it")["duplicates"] == 1


def test_labelled_rows_are_gold_and_closed(it, tmp_path, capsys):
    (tmp_path / "a.csv").write_text(
        "department,subject,body,type,subtype\nit,x,It is down,complaint,outage_complaint\n"
    )
    run(capsys, tmp_path / "a.csv")
    email = Email.objects.get()
    assert (email.type, email.subtype.slug, email.thread.status) == ("complaint", "outage_complaint", "closed")
    assert Verification.objects.get().source == "gold"


def test_unknown_departments_and_labels_are_errors_of_their_row(it, tmp_path, capsys):
    (tmp_path / "a.csv").write_text(
        "department,body,type,subtype\nit,a,complaint,outage_complaint\nnowhere,b,,\nit,c,query,no_such\nit,d,grumble,x\n"
        "it,e,query,outage_complaint\n"
    )
    result = run(capsys, tmp_path / "a.csv")
    assert result["new"] == 1
    assert [(r["line"], r["field"]) for r in result["rejected"]] == [
        (3, "department"),
        (4, "subtype"),
        (5, "type"),
        (6, "type"),
    ]
    assert "allowed: it" in result["rejected"][0]["reason"]
    assert "allowed: spam, query, complaint, suggestion" in result["rejected"][2]["reason"]


def test_create_labels_makes_what_rows_name(it, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("department,body,type,subtype\nbank,a,query,card_query\n")
    assert run(capsys, tmp_path / "a.csv", create_labels=True)["new"] == 1
    assert Subtype.objects.get(department__slug="bank").type == "query"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"%PDF", "allowed: .mbox, .eml, .csv, .jsonl"),
        ("a.mbox", b"", "is empty (0 bytes)"),
        ("a.mbox", bytes(range(256)) * 100, "first line must start with 'From '"),
        ("a.eml", bytes(range(128, 256)) * 100, "no header line"),
        ("a.csv", b"foo,bar\n1,2\n", "needed: one of body, email, text"),
        ("a.mbox.gz", b"From nobody\nnot gzip", "not a whole gzip file"),
        ("a.jsonl", b'{"body": "x"', "is not a JSON object"),
    ],
)
def test_an_unusable_file_is_named_and_exits_1(it, tmp_path, capsys, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match="nothing was kept"):
        call_command("import_emails", str(tmp_path / name), department="it", json=True)
    (rejected,) = json.loads(capsys.readouterr().out)["rejected"]
    assert rejected["file"] == name
    assert reason in rejected["reason"]


def test_a_mail_over_the_limit_is_refused_and_the_rest_kept(it, tmp_path, capsys):
    file = mbox(tmp_path / "m.mbox", "small", "x" * (MAX_MESSAGE_BYTES + 10), "after")
    result = run(capsys, file, department="it")
    assert result["new"] == 2
    assert "25.0 MB; allowed: 25 MB" in result["rejected"][0]["reason"]
    assert result["rejected"][0]["line"] > 1


def test_a_bomb_under_gz_is_refused_and_what_came_before_is_kept(it, tmp_path, capsys):
    with gzip.open(tmp_path / "bomb.mbox.gz", "wb", compresslevel=9) as out:
        out.write(b"From x\nFrom: a@example.com\nMessage-ID: <1@x>\n\nfirst\n\nFrom x\nFrom: b@example.com\n\n")
        for _ in range(120):
            out.write(b"0" * 1_000_000)
    result = run(capsys, tmp_path / "bomb.mbox.gz", department="it")
    assert result["new"] == 1
    assert "decompression bomb" in result["rejected"][0]["reason"]


def test_an_unknown_department_option_is_named(it, tmp_path):
    with pytest.raises(CommandError, match="--department is 'zz'; allowed: it"):
        call_command("import_emails", str(mbox(tmp_path / "m.mbox", "x")), department="zz")


def test_attachments_are_kept(it, tmp_path, capsys):
    (tmp_path / "a.eml").write_bytes(
        b"From: a@example.com\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\nhello\n--b\nContent-Type: image/png; name=x.png\nContent-Disposition: attachment\n\nPNG\n--b--\n"
    )
    run(capsys, tmp_path / "a.eml", department="it")
    attachment = Attachment.objects.get()
    with attachment.file.open() as content:
        assert (attachment.filename, content.read()) == ("x.png", b"PNG")


@real_data
def test_the_real_mbox_imports_whole(it, capsys):
    result = run(capsys, DATA / "emails.mbox.gz", department="it")
    assert (result["new"], result["duplicates"], result["rejected"]) == (560, 0, [])
    assert run(capsys, DATA / "emails.mbox.gz", department="it")["duplicates"] == 560
    assert result["unreadable"] <= 3, "real mail is readable"
    assert Email.objects.filter(body="").count() <= 5
    assert Email.objects.exclude(automatic="").count() > 200


@real_data
def test_the_real_questions_import_whole(db, capsys):
    questions = DATA / "questions" / "banking77_test.csv"
    result = run(capsys, questions, create_labels=True)
    assert (result["new"], result["rejected"]) == (3080, [])
    assert Department.objects.get().subtypes.count() == 77


def test_one_broken_line_costs_only_itself(it, tmp_path, capsys):
    lines = [
        '{"body": "first"}',
        "{broken",
        '{"body": "lone \\ud83d surrogate"}',
        '{"body": "x", "received_at": "0001-01-01T00:00:00+05:00"}',
        '{"body": "last"}',
    ]
    (tmp_path / "A.JSONL").write_text("\n".join(lines))
    result = run(capsys, tmp_path / "A.JSONL", department="it")
    assert result["new"] == 3
    assert [(r["line"], r["field"]) for r in result["rejected"]] == [(2, ""), (4, "received_at")]


def test_a_row_that_the_database_refuses_does_not_take_its_batch_along(db, monkeypatch):
    make_department()
    original = services._store

    def refuse(parsed, *args, **kwargs):
        if parsed.subject == "refused":
            raise DataError("value too long")
        return original(parsed, *args, **kwargs)

    monkeypatch.setattr(services, "_store", refuse)
    batch = [
        make_parsed(subject=subject, message_id="", sender_address="a@b.example")
        for subject in ("one", "refused", "one")
    ]
    received = services.Intake().receive(batch)
    assert [r.status for r in received] == ["new", "rejected", "new"]
    assert received[1].error == ("email", "the database refuses it: DataError")
    assert Email.objects.count() == 2
