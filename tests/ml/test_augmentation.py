"""Rare subtypes are filled up by varied copies, in training only."""

import random

from ml.augmentation import augment_rare, load_synonyms, rare_subtypes, vary
from ml.data import Example

ROW = Example(
    "it", "Help", "Please help, the delivery of my broken laptop is late and I want a refund", "complaint", "x"
)


def test_rare_subtypes_are_reported_rarest_first():
    rows = [ROW] * 3 + [Example("it", "", "t", "query", "y")] * 2 + [Example("it", "", "t", "query", "z")] * 60
    assert rare_subtypes(rows) == {"it/y": 2, "it/x": 3}
    assert list(rare_subtypes(rows)) == ["it/y", "it/x"]


def test_made_rows_differ_keep_the_label_and_fill_up():
    made = augment_rare([ROW] + [Example("it", "", "t", "query", "z")] * 20, 12)
    assert {(e.department, e.type, e.subtype) for e in made} == {("it", "complaint", "x")}
    assert 8 <= len(made) <= 11
    bodies = [e.body for e in made]
    assert ROW.body not in bodies and len(set(bodies)) == len(bodies)
    assert made == augment_rare([ROW] + [Example("it", "", "t", "query", "z")] * 20, 12), "the seed decides"
    assert augment_rare([ROW], 0) == []


def test_a_varied_text_keeps_what_is_no_word_and_its_capitals():
    text = "Help! Order #12-34 (49,90 €) — broken…"
    for seed in range(20):
        varied = vary(text, random.Random(seed))
        assert "#12-34 (49,90 €)" in varied and varied[0].isupper()


def test_the_synonym_list_is_sound():
    for word, others in load_synonyms().items():
        assert word.strip() and word not in others
