"""What the model does with subtypes it was not trained on: prototypes, and the score for mail that fits nothing.

Both are calibrated by rehearsal. A fifth of each department's subtypes is hidden in turn (and, for departments
that are new altogether, all of them), the heads are fitted without them on four fifths of the rows, and the rest shows what happens: how high the known
subtypes score on foreign mail, and how the similarity to a few examples must be scaled to compete.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from ml.data import Example
from ml.heads import Folds, Logits, Targets, fit_heads, head_logits, new_heads
from ml.prototypes import EXAMPLES, centres_of, prototype_scores, similarities
from ml.scoring import SCOPE_SCORES, Calibration, Prototypes, Scope, centred, log_softmax, scope_score
from ml.taxonomy import LabelSpace

NEW_WEIGHT = 1.5  # of rows of new subtypes: with 1, they are missed too often for the little that known ones lose
SCOPE_SHARE = 0.02  # of ordinary mail that may fall under the bar
FEWEST = 50  # rows for a bar of a department's own
STEPS = 80


@dataclass(frozen=True)
class Scene:
    """Rows of one department in one fold, some of its subtypes hidden.

    known (n, visible) centred logits; of_type (n, visible + hidden) log-probabilities of the types;
    features (n, hidden, 3) as `similarities` gives them; target (n,) position; hidden (n,) booleans.
    """

    known: np.ndarray
    of_type: np.ndarray
    features: np.ndarray
    target: np.ndarray
    hidden: np.ndarray


def rehearse(
    vectors: torch.Tensor,
    targets: Targets,
    examples: Sequence[Example],
    space: LabelSpace,
    *,
    c: float,
    folds: Folds,
    seed: int,
) -> list[Scene]:
    """Hide each subtype once, and each department as a whole; those of fewer than three subtypes take no part."""
    rng = np.random.default_rng(seed)
    hidden_in = {d: np.array_split(rng.permutation(m), len(folds)) for d, m in space.members.items() if len(m) > 2}
    departments = np.array([e.department for e in examples])
    subtypes, scenes = targets.subtypes.numpy(), []
    for k, (fit, held) in enumerate(folds):
        hidden = np.concatenate([parts[k] for parts in hidden_in.values()] or [np.zeros(0, int)]).astype(int)
        if not len(hidden):
            continue
        fit_known = fit[~np.isin(subtypes[fit], hidden)]
        if len(np.unique(subtypes[fit_known])) < 2:
            continue
        heads = new_heads(vectors.shape[1], space)
        fit_heads(heads, vectors[fit_known], targets.without(hidden).take(fit_known), c, steps=STEPS)
        logits = head_logits(heads, vectors[held])
        centres = centres_of(vectors[fit_known].numpy(), subtypes[fit_known], len(space.subtypes))
        for department, parts in hidden_in.items():
            rows = departments[held] == department
            for unknown in (parts[k], np.array(space.members[department])):
                scene = _scene(
                    vectors, subtypes, fit, held[rows], _take(logits, rows), unknown, department, space, centres, rng
                )
                if scene is not None:
                    scenes.append(scene)
    return scenes


def _scene(vectors, subtypes, fit, rows, logits, hidden, department, space, centres, rng) -> Scene | None:
    shown = {h: fit[subtypes[fit] == h] for h in hidden}
    hidden = [h for h in hidden if len(shown[h])]
    visible = tuple(m for m in space.members[department] if m not in set(shown))
    candidates = [*visible, *hidden]
    usable = np.isin(subtypes[rows], candidates)
    if not hidden or not usable.any():
        return None
    examples = [vectors[rng.permutation(shown[h])[:EXAMPLES]].numpy() for h in hidden]
    x = centres.direction(vectors[rows[usable]].numpy())
    logits, truth = _take(logits, usable), subtypes[rows[usable]]
    position = {m: i for i, m in enumerate(candidates)}
    return Scene(
        centred(logits.subtypes, visible) if visible else np.zeros((len(truth), 0)),
        log_softmax(logits.types)[:, [space.type_of[m] for m in candidates]],
        similarities(x, [centres.direction(e) for e in examples], centres.known[list(visible)]),
        np.array([position[t] for t in truth]),
        np.isin(truth, hidden),
    )


def _take(logits: Logits, rows: np.ndarray) -> Logits:
    return Logits(logits.types[rows], logits.subtypes[rows])


def fit_prototypes(scenes: Sequence[Scene], calibration: Calibration) -> Prototypes:
    """Scales that give the least log loss where known and new subtypes compete; defaults without scenes."""
    if not scenes:
        return Prototypes()

    def loss(p: Prototypes, alone: bool) -> float:
        total = weight = 0.0
        for s in scenes:
            if (s.known.shape[1] == 0) != alone:
                continue
            own = np.concatenate([s.known, prototype_scores(s.features, p) / (p.alone if alone else 1.0)], axis=1)
            logs = log_softmax(own / calibration.subtype + s.of_type / calibration.type)
            w = np.where(s.hidden & (not alone), NEW_WEIGHT, 1.0)
            total -= float((w * logs[np.arange(len(s.target)), s.target]).sum())
            weight += float(w.sum())
        return total / max(weight, 1.0)

    start = [np.log(8.0), np.log(6.0), np.log(2.0), 1.0]
    found = minimize(lambda t: loss(_from_logs(t), False), start, method="Nelder-Mead", options={"maxiter": 400})
    p = _from_logs(found.x)
    alone = minimize(lambda t: loss(replace(p, alone=float(np.exp(t[0]))), True), [0.0], method="Nelder-Mead")
    return replace(p, alone=float(np.exp(alone.x[0])))


def _from_logs(t: np.ndarray) -> Prototypes:
    mean, nearest, rival = (round(float(np.exp(v)), 4) for v in t[:3])
    return Prototypes(mean, nearest, rival, round(float(t[3]), 4))


def fit_scope(scenes: Sequence[Scene], own: Logits, examples: Sequence[Example], space: LabelSpace) -> Scope:
    """Choose the score that tells hidden subtypes from known ones better, and its bar for each department.

    `own` are logits of rows that the heads did not see, all of them in scope; SCOPE_SHARE of them
    lie under the bar.
    """
    auroc = {kind: _auroc(scenes, kind) for kind in SCOPE_SCORES} if scenes else {}
    kind = max(auroc, key=lambda name: auroc[name]) if auroc else SCOPE_SCORES[0]
    scores: dict[str, list[float]] = {}
    for row, e in enumerate(examples):
        scores.setdefault(e.department, []).append(
            float(scope_score(centred(own.subtypes[row], space.members[e.department]), kind))
        )
    everything = [s for found in scores.values() for s in found]
    bars = {d: round(float(np.quantile(s, SCOPE_SHARE)), 4) for d, s in scores.items() if len(s) >= FEWEST}
    return Scope(kind, bars, round(float(np.quantile(everything, SCOPE_SHARE)), 4), auroc)


def _auroc(scenes: Sequence[Scene], kind: str) -> float:
    """Mean over the scenes, weighted by their rows: levels differ between fits and departments."""
    found = [
        (roc_auc_score(~s.hidden, scope_score(s.known, kind)), len(s.hidden))
        for s in scenes
        if 0 < s.hidden.sum() < len(s.hidden)
    ]
    if not found:
        return 0.5
    areas, rows = zip(*found, strict=True)
    return round(float(np.average(areas, weights=rows)), 4)
