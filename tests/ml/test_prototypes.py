"""Subtypes that training never saw: known by examples, without costing the others."""

import numpy as np
import pytest

from ml.artifact import save_artifact
from ml.data import Example, load_corpus
from ml.encoder import MINILM
from ml.errors import DataError
from ml.holdout import hold_out, new_subtypes, space_of, without
from ml.predictor import NewSubtype, Predictor
from ml.prototypes import Centres, prototype_scores, similarities
from ml.scoring import Prototypes
from ml.splitting import split_three
from ml.training import FrozenSettings, train_frozen

FAST = FrozenSettings(layers=1, folds=3)
HIDDEN = "shift_change_query"


@pytest.fixture(scope="module")
def retail():
    return split_three([e for e in load_corpus() if e.department in ("retail", "travel")])


def train(splits, space):
    return train_frozen(splits, encoder=MINILM, space=space, settings=FAST)


def test_similarities_and_scores_by_hand():
    x = np.array([[1.0, 0.0]])
    found = similarities(x, [np.array([[1.0, 0.0], [0.0, 1.0]])], np.array([[0.6, 0.8], [-1.0, 0.0]]))
    assert found[0, 0].tolist() == pytest.approx([2**-0.5, 1.0, 0.6])
    assert prototype_scores(found, Prototypes(2, 1, 1, 0.5))[0, 0] == pytest.approx(2 * 2**-0.5 + 1 - 0.6 + 0.5)
    assert similarities(x, [x], np.zeros((0, 2)))[0, 0, 2] == 0
    assert Centres(np.array([1.0, 0.0]), np.zeros((0, 2))).direction(np.array([[1.0, 2.0]])).tolist() == [[0.0, 1.0]]


@pytest.fixture(scope="module")
def partial(retail, tmp_path_factory):
    """A model of two departments that has not seen two subtypes of retail, and those rows."""
    hidden = sorted({e.subtype for e in retail.train if e.department == "retail"})[:2]
    seen = without_subtypes(retail, hidden)
    trained = train(seen, space_of(seen.train))
    artifact = save_artifact(trained, tmp_path_factory.mktemp("m") / "m", version="m", precision="fp32")
    return Predictor(artifact.folder), hidden


def without_subtypes(splits, subtypes):
    from dataclasses import replace

    keep = {n: [e for e in getattr(splits, n) if e.subtype not in subtypes] for n in ("train", "validation", "test")}
    return replace(splits, **keep)


def share(predictor: Predictor, rows: list[Example]) -> float:
    return float(np.mean([predictor.predict(e.department, e.subject, e.body).subtype == e.subtype for e in rows]))


def test_subtypes_added_by_eight_examples_are_found_and_the_others_keep_theirs(partial, retail):
    predictor, hidden = partial
    rows = [*retail.test, *retail.validation]
    others = [e for e in rows if e.subtype not in hidden and e.department == "retail"]
    added = [e for e in rows if e.subtype in hidden and e.department == "retail"]
    before = share(predictor, others)
    predictor.learn(new_subtypes([e for e in retail.train if e.subtype in hidden and e.department == "retail"]))
    assert share(predictor, added) >= 0.5
    assert share(predictor, others) >= before - 0.06
    scores = predictor.predict("retail", "", "hello")
    assert sum(p for _, p in scores.subtypes) == pytest.approx(1)
    predictor.learn([])
    assert share(predictor, added) == 0


def test_what_cannot_be_learnt_is_passed_over(partial):
    predictor, hidden = partial
    known = predictor.artifact.space.subtypes[0]
    predictor.learn(
        [
            NewSubtype("retail", "empty_query", "query", ()),
            NewSubtype(known.department, known.slug, known.type, (("", "x"),)),
        ]
    )
    assert "empty_query" not in dict(predictor.predict("retail", "", "hello").subtypes)


def test_a_department_that_was_held_out_is_served_by_examples(retail):
    found = hold_out(retail, "travel", train)
    subtypes = len({e.subtype for e in retail.test if e.department == "travel"})
    assert found.subtype_accuracy > 2.5 / subtypes, "far above chance"
    assert found.type_accuracy > found.subtype_accuracy and found.n > 40


def test_holding_out_what_is_not_there_is_refused(retail):
    with pytest.raises(DataError, match="department 'moon' is not in the data; allowed: retail, travel"):
        without(retail, ["moon"])
    with pytest.raises(DataError, match="at least one must be left"):
        without(retail, ["retail", "travel"])
