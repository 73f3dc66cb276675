"""Labelled files are read row by row; bad ones are named."""

import gzip

import pytest

from ml.data import read_examples, read_rows
from ml.errors import DataError


def test_csv_jsonl_and_gzip_give_the_same_rows(tmp_path):
    (tmp_path / "a.csv").write_text('department,subject,body,type,subtype\nit,"Hi, all","a\nb",query,x\n', "utf-8")
    (tmp_path / "a.jsonl").write_text(
        '{"department":"it","subject":"Hi, all","text":"a\\nb","type":"query","subtype":"x"}\n'
    )
    with gzip.open(tmp_path / "a.csv.gz", "wb") as out:
        out.write((tmp_path / "a.csv").read_bytes())
    found = [read_examples(tmp_path / name) for name in ("a.csv", "a.jsonl", "a.csv.gz")]
    assert found[0] == found[1] == found[2]
    assert found[0][0].body == "a\nb"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", "allowed: .csv, .jsonl"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"foo,bar\n1,2\n", "needed: department and one of body, email, text"),
        ("a.csv", bytes(range(256)) * 4, "needed"),
        ("a.csv", b"department,body,type,subtype\nit,x,grumble,y\n", "allowed: spam, query, complaint, suggestion"),
        ("a.jsonl", b"{not json\n", "line 1: is not a JSON object"),
        ("a.jsonl", b"[1]\n", "is not a JSON object"),
        ("a.csv.gz", b"not gzip at all", "is not a whole gzip file"),
        ("a.csv", b"department,body\nit,x\n", "holds no labelled row"),
    ],
)
def test_a_bad_file_is_named_with_what_is_allowed(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_examples(tmp_path / name)
    assert name in str(error.value)


def test_a_truncated_gzip_keeps_what_came_before(tmp_path):
    whole = gzip.compress(b"department,body\n" + b"".join(b"it,%032x\n" % (i**9) for i in range(100_000)))
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    rows = []
    with pytest.raises(DataError, match="not a whole gzip"):
        rows.extend(read_rows(tmp_path / "a.csv.gz"))
    with pytest.raises(DataError):
        for row in read_rows(tmp_path / "a.csv.gz"):
            rows.append(row)
    assert len(rows) > 10_000


def test_a_decompression_bomb_is_refused(tmp_path):
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=9) as out:
        out.write(b"department,body\n")
        for _ in range(100):
            out.write(b"it," + b"a" * 1_000_000 + b"\n")
    with pytest.raises(DataError, match="decompression bomb"):
        for _ in read_rows(tmp_path / "bomb.csv.gz"):
            pass
