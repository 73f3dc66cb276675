"""What a sentence rests on: worked cases of each layer, and precision and recall on the set made by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.embedding import Embedder
from ml.encoder import MINILM
from responses.drafting.facts import dates_of, links_of, names_of, numbers_of
from responses.drafting.grounding import Evidence, Passage, check_draft, sentences_of

CASES = [json.loads(line) for line in Path(__file__).with_name("grounding_cases.jsonl").read_text().splitlines()]
SOURCE = (
    "Refunds are paid within 5 working days to the card that was used. Standard delivery costs 1,200 yen until 6 p.m."
)
EMAIL = "My order 4711 of 12 October was wrong. When will Mr Okafor get his money back?"


@pytest.fixture(scope="module")
def encode():
    embedder, known = Embedder(MINILM), {}

    def cached(texts):
        missing = [t for t in dict.fromkeys(texts) if t not in known]
        known.update(zip(missing, embedder.encode(missing), strict=True))
        return np.array([known[t] for t in texts])

    return cached


def kinds(sentence: str, encode, source: str = SOURCE, email: str = EMAIL) -> set[str]:
    return {m.kind for m in Evidence([Passage(1, source)], email, encode).check(sentence).marks}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3 days", "three days"), ("1,200 euros", "1200 euros"), ("1.200,50 €", "1200.50 €"), ("6 p.m.", "18:00"),
        ("half an hour", "30 minutes"), ("7 am", "7:00"), ("5%", "5 percent"), ("once", "one time"), ("fünf Tage", "5 Tage"),
    ],
)  # fmt: skip
def test_two_ways_to_write_a_number_are_one(a, b):
    assert numbers_of(a) == numbers_of(b)


@pytest.mark.parametrize(("a", "b"), [("5 days", "6 days"), ("6 p.m.", "6 a.m."), ("9.95", "9.59"), ("10", "1000")])
def test_other_numbers_differ(a, b):
    assert numbers_of(a) != numbers_of(b)


def test_dates_names_and_links():
    assert dates_of("on 12 October, a Tuesday") == dates_of("October 12th, Tuesdays")
    assert names_of("The Product Safety team in Leeds answers.") == {"product", "safety", "leeds"}
    assert names_of("Die Rückgabe der Ware ist im Laden und per Post möglich.") == set()
    assert links_of("See https://www.shop.example/returns. Or write to help@shop.example.") == {
        "shop.example/returns", "help@shop.example"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "marks"),
    [
        ("Refunds are paid within 5 working days to the card that was used.", set()),
        ("Your refund reaches the card you used within five working days.", set()),
        ("Refunds are paid within 7 working days to the card that was used.", {"number"}),
        ("Refunds are paid to the card that was used on 14 October.", {"number", "date"}),
        ("Refunds for order 4711 are paid to the card that was used.", set()),
        ("Ms Petrova pays refunds to the card that was used.", {"name"}),
        ("Refunds are not paid to the card that was used.", {"negation"}),
        ("Refunds are always paid to the card that was used.", {"promise"}),
        ("Refunds are paid to the card that was used, see www.refunds.example.", {"link"}),
        ("Roses should be cut back in early spring.", {"support"}),
    ],
)
def test_each_kind_of_mark(sentence, marks, encode):
    assert kinds(sentence, encode) == marks


def test_a_link_of_the_email_is_no_source(encode):
    assert "link" in kinds(
        "Please open evil.example/login to get your refund.", encode, email="Look at evil.example/login"
    )


def test_a_sentence_names_the_sources_it_rests_on(encode):
    passages = [Passage(1, "Standard delivery takes three days."), Passage(2, "Returns are free within 30 days.")]
    checked = check_draft(
        "Dear Ann,\n\nReturns are free within 30 days. [2]\nWe also send a poem.\n\nBye,\nus",
        Evidence(passages, "", encode),
        own=["Dear Ann,", "Bye,\nus"],
    )
    assert [(c.text, c.sources) for c in checked] == [
        ("Returns are free within 30 days.", [2]),
        ("We also send a poem.", []),
    ]
    assert [m.kind for m in checked[1].marks] == ["support"]


def test_numbers_in_brackets_belong_to_the_sentence_before_them():
    assert sentences_of("One. [1] Two [2][3]. Three") == ["One. [1]", "Two [2][3].", "Three"]


def test_precision_and_recall_on_the_set_made_by_hand(encode):
    """The second half was not looked at while the bars were chosen."""
    for half, precision, recall in ((CASES[::2], 0.9, 0.9), (CASES[1::2], 0.82, 0.9)):
        flagged = [bool(kinds_of_case(c, encode)) for c in half]
        unsupported = [not c["supported"] for c in half]
        hits = sum(f and u for f, u in zip(flagged, unsupported, strict=True))
        assert hits / sum(flagged) >= precision and hits / sum(unsupported) >= recall


def kinds_of_case(case: dict, encode) -> list:
    passages = [Passage(i, text) for i, text in enumerate(case["passages"], 1)]
    return Evidence(passages, case["email"], encode).check(case["sentence"]).marks
