"""How many labels a shadow test of two real models takes against a split test, on real questions with known answers.

A has seen a half of the training questions, B all of them; Banking77 as in `learning`.
"""

from pathlib import Path
from random import Random

import numpy as np

from abtests.statistics import Pairs, labels_an_arm, shadow_plan
from abtests.verdict import Status, pairs_verdict
from benchmarks.learning import DATA
from ml.artifact import save_artifact
from ml.data import Example, read_examples
from ml.encoder import MINILM
from ml.holdout import space_of
from ml.predictor import Predictor
from ml.splitting import split_three
from ml.training import train_frozen

RUNS = 300
LOOK = 10  # emails between looks


def run(work: Path) -> list[tuple[str, str]]:
    train, test = (read_examples(DATA / f"banking77_{part}.csv") for part in ("train", "test"))
    half = Random(1).sample(train, len(train) // 2)
    a, b = (_answers(rows, train, test, work / name) for rows, name in ((half, "half"), (train, "whole")))
    truth = np.array([e.subtype for e in test])
    right_a, right_b, differ = a == truth, b == truth, a != b
    gain = float(right_b.mean() - right_a.mean())
    one_right = float((right_a != right_b).mean())
    both_wrong = float((differ & ~right_a & ~right_b).mean())
    disagreement = float(differ.mean())
    planned = shadow_plan(disagreement, gain, both_wrong=both_wrong).labels
    split = 2 * (labels_an_arm(float(right_a.mean()), gain) or 0)
    used, found = _simulate(right_a, right_b, differ, gain)
    return [
        ("A and B are right on", f"{right_a.mean():.1%} and {right_b.mean():.1%} of {len(test)}"),
        (
            "  they differ on",
            f"{disagreement:.1%}; one alone is right on {one_right:.1%}, both wrong differently on {both_wrong:.1%}",
        ),
        ("labels of a split test, one look, 80% power", f"{split:,}"),
        ("labels planned for a shadow test, any look", f"{planned:,} ({planned / split:.3f} of the split test's)"),
        (f"labels used, median of {RUNS} orders of the questions", f"{used:,.0f}; B found in {found:.0%}"),
    ]


def _answers(rows: list[Example], every: list[Example], test: list[Example], folder: Path) -> np.ndarray:
    trained = train_frozen(split_three(rows), encoder=MINILM, space=space_of(every))
    predictor = Predictor(save_artifact(trained, folder, version=folder.name).folder)
    return np.array([predictor.predict(e.department, e.subject, e.body).subtype for e in test])


def _simulate(right_a: np.ndarray, right_b: np.ndarray, differ: np.ndarray, gain: float) -> tuple[float, float]:
    """Labels until the difference is shown not to be nought, looked at every LOOK emails, the questions drawn anew."""
    dice = np.random.default_rng(2)
    share = float(differ.mean())
    planned = shadow_plan(share, gain).scored
    used, found = [], 0
    for _ in range(RUNS):
        drawn = dice.integers(0, len(differ), planned)
        only_a, only_b = np.cumsum(right_a[drawn] & ~right_b[drawn]), np.cumsum(right_b[drawn] & ~right_a[drawn])
        labels = np.cumsum(differ[drawn])
        end = planned
        for n in range(LOOK, planned + 1, LOOK):
            pairs = Pairs(n, int(only_a[n - 1]), int(only_b[n - 1]))
            if pairs_verdict(pairs, planned=planned, gain=1e-9).status == Status.DEPLOY:
                end, found = n, found + 1
                break
        used.append(int(labels[end - 1]))
    return float(np.median(used)), found / RUNS
