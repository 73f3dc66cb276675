"""The starter corpus keeps its promises."""

import re
from collections import Counter

import pytest

from ml.data import load_articles, load_corpus
from ml.taxonomy import TYPES, load_taxonomy

TAXONOMY = load_taxonomy()
CORPUS = load_corpus()


def sentences(text: str):
    """Sentences of six words or more, lower case, without punctuation."""
    for sentence in re.split(r"[.!?\n]+", text):
        words = re.findall(r"\w+", sentence.lower())
        if len(words) >= 6:
            yield " ".join(words)


def test_87_subtypes_over_9_sectors_and_every_type():
    assert len(TAXONOMY.departments) == 9
    assert len(TAXONOMY.subtypes) == 87
    for department in TAXONOMY.departments:
        assert {s.type for s in TAXONOMY.subtypes if s.department == department} == set(TYPES)


def test_every_subtype_has_a_one_sentence_guideline():
    assert [s.slug for s in TAXONOMY.subtypes if len(s.guideline) < 40 or not s.guideline.endswith(".")] == []


@pytest.mark.parametrize(("split", "least"), [("train", 8), ("test", 3)])
def test_every_subtype_has_enough_distinct_emails(split, least):
    rows = {(e.department, e.subtype, e.subject, e.body) for e in CORPUS if e.split == split}
    counts = Counter((d, s) for d, s, _, _ in rows)
    assert {(s.department, s.slug): counts[s.department, s.slug] for s in TAXONOMY.subtypes
            if counts[s.department, s.slug] < least} == {}  # fmt: skip


def test_labels_agree_with_the_taxonomy():
    known = {(s.department, s.slug): s.type for s in TAXONOMY.subtypes}
    assert [e for e in CORPUS if known.get((e.department, e.subtype)) != e.type] == []


def test_no_sentence_of_six_words_stands_in_both_splits():
    splits = {"train": set(), "test": set()}
    for e in CORPUS:
        for text in (e.subject, e.body):
            splits[e.split].update(sentences(text))
    assert splits["train"] & splits["test"] == set()


def test_articles_cover_every_sector():
    counts = Counter(a.department for a in load_articles())
    assert sum(counts.values()) >= 30
    assert set(counts) == set(TAXONOMY.departments)
