"""Three splits: stratified, disjoint, and no near-copy across them."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.data import Example, load_corpus
from ml.errors import DataError
from ml.heads import folds_of
from ml.splitting import near_copies, near_duplicate_groups, split_three

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord")


def rows(n: int, subtype: str = "a", split: str = "") -> list[Example]:
    topics = [
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliet",
        "kilo",
        "lima",
    ]
    text = [
        f"{topics[i % 12]} {topics[(i // 12) % 12]} {subtype} question {topics[(i * 7) % 12]} number" for i in range(n)
    ]
    return [Example("it", "", f"{t} {'x' * (i % 50 + 1)}", "query", subtype, split) for i, t in enumerate(text)]


def test_texts_that_differ_in_case_digits_or_punctuation_are_one_group():
    groups = near_duplicate_groups(
        ["Where is order 12345?", "where is ORDER 999", "Where is my parcel now, please tell me", "", "!!!"]
    )
    assert groups[0] == groups[1]
    assert len(set(groups)) == 4


def test_a_long_text_with_one_word_changed_is_a_near_copy():
    words = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)]
    other = [*words[:30], "changed", *words[31:]]
    half = [*words[:30], *(f"other{chr(97 + i)}{chr(97 + i)}" for i in range(20))]
    groups = near_duplicate_groups([" ".join(words), " ".join(other), " ".join(half)])
    assert groups[0] == groups[1] != groups[2]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 5))
def test_every_row_is_in_one_split_and_each_subtype_trains(sizes, seed):
    examples = [e for k, n in enumerate(sizes) for e in rows(n, "abcde"[k])]
    splits = split_three(examples, seed=seed)
    together = [*splits.train, *splits.validation, *splits.test]
    assert Counter(together) == Counter(examples)
    assert {e.subtype for e in splits.train} == {e.subtype for e in examples}


def test_shares_are_kept_in_each_subtype():
    examples = rows(100, "a") + rows(50, "b")
    splits = split_three(examples)
    assert Counter(e.subtype for e in splits.test) == {"a": 10, "b": 5}
    assert Counter(e.subtype for e in splits.validation) == {"a": 10, "b": 5}
    assert splits == split_three(examples), "the seed decides"
    assert splits != split_three(examples, seed=1)


def test_copies_stay_in_one_split():
    examples = [e for e in rows(40) for _ in range(3)]
    splits = split_three(examples)
    texts = [{e.body for e in part} for part in (splits.train, splits.validation, splits.test)]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_a_split_that_the_file_names_is_kept_but_not_for_copies_of_training_rows():
    examples = rows(40, split="train") + rows(3, "b", split="test") + rows(5, split="test")
    splits = split_three(examples)
    assert {e.subtype for e in splits.test} == {"b"}
    assert splits.left_out == 5
    assert len(splits.validation) == 4 and {e.split for e in splits.validation} == {"train"}
    with pytest.raises(DataError, match="'holdout'; allowed: train, validation, test"):
        split_three(rows(3, split="holdout"))
    with pytest.raises(DataError, match="leave too little"):
        split_three(rows(3), validation=0.5, test=0.5)


def test_the_corpus_has_no_near_copies_and_keeps_its_test_rows():
    splits = split_three(load_corpus())
    assert splits.left_out == 0
    assert splits.sizes == {"train": 1879, "validation": 209, "test": 435}


TEMPLATE = (
    "dear team please reset the access of {} to the shared drive of our office and confirm by mail when it is done, "
    "since the audit of next week needs these files and nobody else here can open them, thank you and kind regards"
)


def test_near_copies_are_held_out_together():
    rows = [Example("it", "", TEMPLATE.format(word), "query", "a") for word in WORDS]
    rows += [Example("it", "", f"{word} {word} alone", "query", "b") for word in WORDS]
    groups = near_copies(rows)
    assert len(set(groups)) == 1 + len(WORDS)
    for fit, held in folds_of(groups, 5, seed=1):
        assert len(held) and not set(groups[fit]) & set(groups[held])


def test_a_template_of_hundreds_of_copies_is_one_group():
    names = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=3)][:300]
    groups = near_duplicate_groups([TEMPLATE.format(name) for name in names])
    assert Counter(groups.tolist()).most_common(1)[0][1] >= 0.98 * len(names)  # sketches of 64 numbers miss a few
