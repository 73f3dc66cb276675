"""The shipped starter belongs to the corpus, and is as good as we say."""

import numpy as np
import pytest

from ml.data import load_corpus
from ml.encoder import MINILM
from ml.evaluation import report, run
from ml.predictor import Predictor
from ml.splitting import split_three
from ml.starter import load_starter
from ml.tokenizing import encode_email, load_tokenizer
from ml.training import train_frozen


@pytest.fixture(scope="module")
def predictor(starter_folder):
    return Predictor(starter_folder)


def test_the_shipped_heads_are_what_the_corpus_gives():
    """Fits the heads again on the whole training split and compares them with the shipped ones."""
    shipped = load_starter()
    again = train_frozen(split_three(load_corpus()), encoder=MINILM, space=shipped.space)
    for head in ("type_head", "subtype_head"):
        old, new = (getattr(t.model, head).weight.detach().numpy() for t in (shipped, again))
        assert np.corrcoef(old.ravel(), new.ravel())[0, 1] > 0.999
    for name in ("subtype", "type"):
        assert getattr(again.calibration, name) == pytest.approx(getattr(shipped.calibration, name), rel=0.02)
    assert again.calibration.scope.bars == pytest.approx(shipped.calibration.scope.bars, abs=0.05)


def test_accuracy_on_the_untouched_test_split(predictor):
    train, test = load_corpus("train"), load_corpus("test")
    assert not {(e.subject, e.body) for e in train} & {(e.subject, e.body) for e in test}
    figures = report(run(predictor, test))
    assert figures["type"]["accuracy"] >= 0.90
    assert figures["subtype"]["accuracy"] >= 0.80
    low, high = figures["subtype"]["accuracy_interval"]
    assert low < figures["subtype"]["accuracy"] < high
    assert figures["n"] == len(test) >= 261


@pytest.mark.parametrize(
    ("department", "text", "kind"),
    [
        ("digital_healthcare", "I don't want to cancel, but how do I pause my subscription?", "query"),
        ("digital_healthcare", "I want to cancel my subscription immediately, this is outrageous", "complaint"),
        ("digital_healthcare", "Idea: please add a pause feature instead of cancellation", "suggestion"),
    ],
)
def test_the_missions_examples(predictor, department, text, kind):
    assert predictor.predict(department, "", text).type == kind


@pytest.mark.parametrize("body", ["", "a" * 5_000, "🙂" * 300, "\x00\x01", "long text " * 20_000])
def test_odd_input_is_classified_all_the_same(predictor, body):
    s = predictor.predict("it", "", body)
    assert s.subtype is not None and 0 <= s.subtype_confidence <= 1


def test_tokens_stay_within_the_limit(starter_folder):
    ids = encode_email(load_tokenizer(starter_folder), "it", "subject", "word " * 5_000)
    assert len(ids) == 512
