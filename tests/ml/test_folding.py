"""Merged subtypes add up, retired ones leave the rest to share."""

import pytest

from ml.folding import fold
from ml.scoring import Scores

SCORES = Scores(
    types=(("query", 0.4), ("complaint", 0.6)),
    subtypes=(("a_complaint", 0.35), ("b_query", 0.3), ("c_complaint", 0.25), ("d_query", 0.1)),
    type="complaint",
    type_confidence=0.6,
    subtype="a_complaint",
    subtype_confidence=0.35,
)
TYPES = {"a_complaint": "complaint", "b_query": "query", "c_complaint": "complaint", "d_query": "query"}
SAME = {slug: (slug, type_) for slug, type_ in TYPES.items()}


def test_nothing_changed_nothing_changes():
    folded = fold(SCORES, SAME)
    assert (folded.type, folded.subtype) == ("complaint", "a_complaint")
    assert dict(folded.subtypes) == pytest.approx(dict(SCORES.subtypes))


def test_a_merged_one_adds_to_its_target():
    folded = fold(SCORES, SAME | {"c_complaint": ("a_complaint", "complaint")})
    assert folded.subtype == "a_complaint" and folded.subtype_confidence == pytest.approx(0.6)
    assert [s for s, _ in folded.subtypes] == ["a_complaint", "b_query", "d_query"]


def test_a_retired_one_leaves_its_share_to_the_others():
    folded = fold(SCORES, SAME | {"a_complaint": None})
    assert (folded.type, folded.subtype) == ("query", "b_query")
    assert folded.subtype_confidence == pytest.approx(0.3 / 0.65)
    assert sum(p for _, p in folded.types) == pytest.approx(1) == sum(p for _, p in folded.subtypes)


def test_merged_across_types_the_type_follows():
    folded = fold(SCORES, SAME | {"a_complaint": ("b_query", "query")})
    assert (folded.type, folded.subtype) == ("query", "b_query")
    assert folded.type_confidence == pytest.approx(0.75)


def test_all_retired_the_type_is_kept():
    folded = fold(SCORES, dict.fromkeys(TYPES))
    assert (folded.type, folded.subtype, folded.subtypes) == ("complaint", None, ())
