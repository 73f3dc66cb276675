"""From the logits of the two heads to one consistent answer.

The heads are combined: a subtype scores its own log-probability within the department plus
the log-probability of its type, divided by the temperature; a type's probability is the sum
over its subtypes. So the type and the subtype that are shown never contradict each other.
"""

from dataclasses import dataclass

import numpy as np

from ml.taxonomy import LabelSpace


@dataclass(frozen=True)
class Calibration:
    """Temperatures fitted on data that the heads did not see; 1.0 leaves scores as they are."""

    joint: float = 1.0
    type: float = 1.0


@dataclass(frozen=True)
class Scores:
    """Probabilities of one email.

    `types` is (slug, probability) for every type; `subtypes` the same for every subtype of the
    department, best first, empty when the model does not know the department.
    """

    types: tuple[tuple[str, float], ...]
    subtypes: tuple[tuple[str, float], ...]
    type: str
    type_confidence: float
    subtype: str | None
    subtype_confidence: float


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def joint_log_scores(
    type_logits: np.ndarray, subtype_logits: np.ndarray, members: tuple[int, ...], space: LabelSpace
) -> np.ndarray:
    """Unscaled log-scores of a department's subtypes, (…, len(members)), from logits of any leading shape."""
    own = log_softmax(subtype_logits[..., list(members)])
    of_type = log_softmax(type_logits)[..., [space.type_of[i] for i in members]]
    return own + of_type


def score(
    type_logits: np.ndarray, subtype_logits: np.ndarray, department: str, space: LabelSpace, calibration: Calibration
) -> Scores:
    """Score one email: `type_logits` (types,), `subtype_logits` (subtypes,)."""
    members = space.members.get(department)
    if members is None:
        return _type_only(type_logits, space, calibration)
    joint = joint_log_scores(type_logits, subtype_logits, members, space)
    probabilities = np.exp(log_softmax(joint / calibration.joint))
    by_type = np.zeros(len(space.types))
    np.add.at(by_type, [space.type_of[i] for i in members], probabilities)
    best_type = int(by_type.argmax())
    order = np.argsort(-probabilities, kind="stable")
    subtypes = tuple((space.subtypes[members[i]].slug, float(probabilities[i])) for i in order)
    best = next(i for i in order if space.type_of[members[i]] == best_type)
    return Scores(
        types=tuple(zip(space.types, map(float, by_type), strict=True)),
        subtypes=subtypes,
        type=space.types[best_type],
        type_confidence=float(by_type[best_type]),
        subtype=space.subtypes[members[best]].slug,
        subtype_confidence=float(probabilities[best]),
    )


def _type_only(type_logits: np.ndarray, space: LabelSpace, calibration: Calibration) -> Scores:
    probabilities = np.exp(log_softmax(type_logits / calibration.type))
    best = int(probabilities.argmax())
    types = tuple(zip(space.types, map(float, probabilities), strict=True))
    return Scores(types, (), space.types[best], float(probabilities[best]), None, 0.0)
