"""Scores under a taxonomy that has changed since training: merged subtypes add up, retired ones no longer count."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from ml.scoring import Scores


def fold(scores: Scores, targets: Mapping[str, tuple[str, str] | None]) -> Scores:
    """Scores over the subtypes in use. `targets` gives for each slug (slug in use, type), None for a retired one.

    A slug that `targets` does not name stays out too. Probabilities are those of the rest, summing to 1; without any
    left the type alone is kept.
    """
    by_slug: dict[str, float] = defaultdict(float)
    by_type: dict[str, float] = dict.fromkeys((name for name, _ in scores.types), 0.0)
    type_of: dict[str, str] = {}
    for slug, probability in scores.subtypes:
        target = targets.get(slug)
        if target is not None:
            by_slug[target[0]] += probability
            by_type[target[1]] += probability
            type_of[target[0]] = target[1]
    total = sum(by_slug.values())
    if total <= 0:
        return replace(scores, subtypes=(), subtype=None, subtype_confidence=0.0)
    best_type = max(by_type, key=lambda name: by_type[name])
    order = sorted(by_slug, key=lambda slug: -by_slug[slug])
    best = next(slug for slug in order if type_of[slug] == best_type)
    return replace(
        scores,
        types=tuple((name, p / total) for name, p in by_type.items()),
        subtypes=tuple((slug, by_slug[slug] / total) for slug in order),
        type=best_type,
        type_confidence=by_type[best_type] / total,
        subtype=best,
        subtype_confidence=by_slug[best] / total,
    )
