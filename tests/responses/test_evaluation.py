"""Figures of retrieval: worked by hand, and the command on a handful and on the real questions."""

import gzip
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from responses.retrieval.evaluation import declining, recall, reciprocal_rank

REAL = Path(__file__).parents[3] / "shared" / "data" / "retrieval"
PASSAGES = [
    {"id": "p1", "department": "it", "title": "Passwords", "text": "The reset link is valid for 30 minutes."},
    {"id": "p2", "department": "it", "title": "Printers", "text": "Paper is in the cupboard on the second floor."},
    {"id": "p3", "department": "hr", "title": "Leave", "text": "Leave is asked for two weeks before."},
]
QUERIES = [
    {"id": "q1", "department": "it", "text": "How long is it valid?", "history": [["user", "I need a password reset link"],
     ["agent", "We sent you one."]], "answerability": "ANSWERABLE"},
    {"id": "q2", "department": "hr", "text": "Can I bring my dog?", "history": [], "answerability": "UNANSWERABLE"},
]  # fmt: skip


def write(folder: Path, passages=PASSAGES, queries=QUERIES, qrels="query_id\tdoc_id\tscore\nq1\tp1\t1\n") -> dict:
    for name, rows in (("passages", passages), ("queries", queries)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as out:
            out.writelines(json.dumps(r) + "\n" for r in rows)
    (folder / "qrels.tsv").write_text(qrels)
    return {
        "passages": folder / "passages.jsonl.gz",
        "queries": folder / "queries.jsonl.gz",
        "qrels": folder / "qrels.tsv",
    }


def test_recall_and_reciprocal_rank():
    assert recall(["a", "b", "c"], {"b", "x"}, k=2) == 0.5
    assert recall(["a", "b"], {"b"}, k=1) == 0.0
    assert reciprocal_rank(["a", "b"], {"b"}) == 0.5 and reciprocal_rank(["a"], {"b"}) == 0.0


def test_declining_by_a_bar():
    curve = declining([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], [0.05, 0.15, 0.95])["curve"]
    at = {p["answerable_declined"]: p for p in curve}
    assert at[0.1]["bar"] == pytest.approx(0.09) and at[0.1]["unanswerable_declined"] == pytest.approx(1 / 3, abs=1e-4)
    assert declining([0.5], [])["curve"] == []


def test_the_command_prints_each_method_with_its_interval(db, tmp_path, capsys):
    call_command("evaluate_retrieval", **write(tmp_path), json=True)
    figures = json.loads(capsys.readouterr().out)
    assert figures["n"] == 1
    for method in ("lexical", "vector", "hybrid"):
        assert figures[method]["recall@5"] == 1.0 and figures[method]["mrr@10_interval"] == [1.0, 1.0]
    assert figures["no_source"]["n_unanswerable"] == 1
    call_command("evaluate_retrieval", **write(tmp_path))
    assert "hybrid    1.000 (1.000–1.000)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passages": [{"text": "x"}]}, "line 1: is no object with an id"),
        ({"qrels": "a\tb\n1\t2\n"}, "line 2: needed are query_id"),
        ({"qrels": "query_id\tdoc_id\tscore\nq\tp\tmany\n"}, "line 2: needed are query_id"),
    ],
)
def test_files_that_cannot_be_used_are_named(db, tmp_path, change, message):
    with pytest.raises(CommandError, match=message):
        call_command("evaluate_retrieval", **write(tmp_path, **change))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real questions lie beside the project in ../shared/data")
def test_the_real_questions(db, capsys):
    call_command(
        "evaluate_retrieval", passages=REAL / "passages.jsonl.gz", queries=REAL / "queries.jsonl.gz",
        qrels=REAL / "qrels.tsv", json=True,
    )  # fmt: skip
    figures = json.loads(capsys.readouterr().out)
    assert figures["hybrid"]["recall@5"] >= 0.90 and figures["hybrid"]["mrr@10"] >= 0.885
    at = {p["answerable_declined"]: p["unanswerable_declined"] for p in figures["no_source"]["curve"]}
    assert at[0.1] >= 0.49
