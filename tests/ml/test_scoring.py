"""The two heads give one consistent, calibrated answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.calibration import expected_calibration_error, fit_temperature
from ml.scoring import Calibration, Candidates, Prototypes, Scope, scope_score, score
from ml.taxonomy import LabelSpace, Subtype

SPACE = LabelSpace(
    (
        Subtype("a", "q", "query"),
        Subtype("a", "c", "complaint"),
        Subtype("a", "c2", "complaint"),
        Subtype("b", "q", "query"),
    )
)
LOGITS = st.lists(st.floats(-20, 20), min_size=4, max_size=4).map(np.array)


@given(LOGITS, LOGITS)
def test_probabilities_add_up_and_type_follows_subtype(types, subtypes):
    s = score(types, subtypes, "a", SPACE, Calibration(subtype=1.3, type=0.8))
    assert sum(p for _, p in s.types) == pytest.approx(1)
    assert sum(p for _, p in s.subtypes) == pytest.approx(1)
    assert {slug for slug, _ in s.subtypes} == {"q", "c", "c2"}
    assert s.type == {"q": "query", "c": "complaint", "c2": "complaint"}[s.subtype]
    assert s.subtype_confidence <= s.type_confidence + 1e-9


def test_an_unknown_department_gets_a_type_and_no_subtype():
    s = score(np.array([0.0, 5.0, 0.0, 0.0]), np.zeros(4), "new", SPACE, Calibration())
    assert (s.type, s.subtype, s.subtype_confidence, s.subtypes) == ("query", None, 0.0, ())


def test_new_subtypes_compete_with_known_ones_and_fill_a_department_of_their_own():
    new = Candidates(("n1", "n2"), ("spam", "query"), np.array([9.0, -9.0]))
    types = np.zeros(4)
    known = score(types, np.array([1.0, 0.0, 0.0, 0.0]), "a", SPACE, Calibration(), new)
    assert (known.subtype, known.type) == ("n1", "spam") and len(known.subtypes) == 5
    alone = score(types, np.zeros(4), "new", SPACE, Calibration(prototypes=Prototypes(alone=3.0)), new)
    assert alone.subtype == "n1" and alone.subtype_confidence == pytest.approx(1 / (1 + np.exp(-6)))
    assert not alone.out_of_scope


def test_mail_that_fits_nothing_falls_under_the_bar_of_its_department():
    calibration = Calibration(scope=Scope("max_logit", {"a": 2.0}, bar=-1.0))
    flat = score(np.zeros(4), np.array([5.0, 5.0, 5.0, 0.0]), "a", SPACE, calibration)
    clear = score(np.zeros(4), np.array([9.0, 5.0, 5.0, 0.0]), "a", SPACE, calibration)
    assert (flat.scope, flat.out_of_scope) == (0.0, True), "the level of the logits says nothing, their spread does"
    assert not clear.out_of_scope
    assert not score(np.zeros(4), np.zeros(4), "b", SPACE, calibration).out_of_scope
    assert scope_score(np.array([0.0, 0.0]), "energy") == pytest.approx(np.log(2))


def test_temperature_tames_overconfidence():
    rng = np.random.default_rng(0)
    scores = [np.array([8.0, 0.0]) for _ in range(400)]
    targets = [int(rng.random() > 0.8) for _ in scores]
    t = fit_temperature(scores, targets)
    confidence = 1 / (1 + np.exp(-8 / t))
    assert confidence == pytest.approx(np.mean([k == 0 for k in targets]), abs=0.01)
    assert fit_temperature([], []) == 1.0


def test_ece_against_a_worked_example():
    assert expected_calibration_error(
        np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    ) == pytest.approx(0.05)
