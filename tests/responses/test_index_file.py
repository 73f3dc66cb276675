"""The index file: exact, its words quoted, whole after a kill, made anew when damaged or deleted."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from responses.retrieval.index_file import IndexFile, Row

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


def unit(n: int, dimension: int = 8) -> np.ndarray:
    x = RNG.normal(size=(n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def open_index(path: Path, identity: str = "x") -> IndexFile:
    return IndexFile(path / "index.sqlite3", identity=identity, dimension=8)


@pytest.fixture
def index(tmp_path):
    index = open_index(tmp_path)
    rows = [
        Row(1, 7, 1, "Refunds are paid within five days", unit(1)),
        Row(2, 7, 1, "Shipping of parcels takes a week", unit(3)),
        Row(3, 9, 2, "Refunds in another department", unit(2)),
    ]
    assert index.apply(before=-1, revision=4, documents=[1, 2], rows=rows)
    index.rows = rows
    return index


def test_the_nearest_is_exact_by_best_window(index):
    matrix = index.matrix()
    for _ in range(20):
        (vector,) = unit(1)
        best = {r.passage: float((r.vectors @ vector).max()) for r in index.rows if r.department == 7}
        found = matrix.nearest(vector, 7, 5)
        assert [p for p, _ in found] == sorted(best, key=lambda p: -best[p])
        assert found[0][1] == pytest.approx(max(best.values()), abs=2e-3), "float16"
    assert matrix.nearest(vector, 7, 1) == found[:1] and matrix.nearest(vector, 8, 5) == []


def test_words_are_stemmed_quoted_and_kept_to_their_department(index):
    assert index.words("When will my refund be paid?", 7, 5) == [1]
    assert index.words('NEAR( "refunds" OR * ^ -- : AND', 7, 5) == [1]
    assert index.words("parcel", 7, 5) == [2] and index.words("parcel", 9, 5) == [] == index.words("parcel", 8, 5)
    assert index.words("the of and", 7, 5) == [] == index.words("", 7, 5)


def test_only_the_rarest_words_are_asked_for(tmp_path):
    index = open_index(tmp_path)
    common = " ".join(f"common{i}" for i in range(8))
    rows = [Row(i, 1, i, common, unit(1)) for i in range(1, 30)] + [Row(30, 1, 30, f"{common} rare", unit(1))]
    index.apply(before=-1, revision=0, documents=[], rows=rows)
    assert index.words(f"{common} rare", 1, 3)[0] == 30


def test_a_document_is_replaced_and_an_overtaken_writer_does_nothing(index):
    assert index.apply(before=4, revision=5, documents=[1], rows=[Row(8, 9, 1, "Moved refunds", unit(1))])
    assert not index.apply(before=4, revision=5, documents=[2], rows=[])
    assert index.revision == 5
    assert index.words("refunds", 7, 5) == [] and sorted(index.words("refunds", 9, 5)) == [3, 8]
    assert sorted(index.matrix().passages) == [3, 8]


@pytest.mark.parametrize("damage", [lambda f: f.unlink(), lambda f: f.write_bytes(b"no database at all" * 300)])
def test_a_lost_or_damaged_file_is_made_anew(index, tmp_path, damage):
    file = tmp_path / "index.sqlite3"
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    damage(file)
    assert open_index(tmp_path).revision == -1


def test_a_file_that_is_deleted_under_a_process_is_noticed(index, tmp_path):
    (tmp_path / "index.sqlite3").unlink()
    assert index.revision == -1


def test_a_file_of_another_desk_is_made_anew(index, tmp_path):
    assert open_index(tmp_path).revision == 4
    assert open_index(tmp_path, identity="y").revision == -1


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.responses.test_index_file import Row, open_index, unit

class Kill:
    def astype(self, kind):
        os.kill(os.getpid(), signal.SIGKILL)

index = open_index(Path(sys.argv[1]))
rows = [Row(i, 1, 9, "half written", unit(1)) for i in range(100, 600)]
rows.append(Row(600, 1, 9, "half written", Kill()))
index.apply(before=4, revision=5, documents=[1], rows=rows)
"""


def test_a_kill_in_the_middle_of_a_write_leaves_what_was_before(index, tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = open_index(tmp_path)
    assert again.revision == 4 and again.words("half written", 1, 5) == []
    assert again.words("refunds", 7, 5) == [1] and len(again.matrix().passages) == 3
    assert again.apply(before=4, revision=5, documents=[], rows=[])
