"""From the logits of the two heads to one consistent answer.

The heads are combined: a subtype scores its logit within the department plus the
log-probability of its type, each divided by the temperature of its head; a type's probability
is the sum over its subtypes. So the type and the subtype that are shown never contradict each
other. Subtypes that the heads were not trained on join in with the scores of their prototypes.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from ml.taxonomy import LabelSpace

SCOPE_SCORES = ("max_logit", "energy")


@dataclass(frozen=True)
class Scope:
    """When an email fits nothing: `score` under the bar of its department (see `scope_score`)."""

    score: str = "max_logit"
    bars: dict[str, float] = field(default_factory=dict)  # department → bar
    bar: float = float("-inf")  # of a department without its own
    auroc: dict[str, float] = field(default_factory=dict)  # what validation said of each score

    def bar_of(self, department: str) -> float:
        return self.bars.get(department, self.bar)


@dataclass(frozen=True)
class Prototypes:
    """How the similarity to prototypes becomes a score on the scale of the heads.

    score = mean · cos(x, centre) + nearest · max cos(x, example) − rival · max cos(x, known centre)
    + offset; in a department of prototypes alone the scores are divided by `alone` besides.
    """

    mean: float = 10.0
    nearest: float = 5.0
    rival: float = 0.0
    offset: float = 0.0
    alone: float = 1.0


@dataclass(frozen=True)
class Calibration:
    """What is fitted on rows that the heads did not see; the defaults leave scores as they are.

    `subtype` and `type` are the heads' temperatures, `type_alone` that of the type head where a
    department is unknown.
    """

    subtype: float = 1.0
    type: float = 1.0
    type_alone: float = 1.0
    scope: Scope = field(default_factory=Scope)
    prototypes: Prototypes = field(default_factory=Prototypes)

    def to_json(self) -> dict:
        data = asdict(self)
        if not np.isfinite(self.scope.bar):
            data["scope"]["bar"] = None
        return data

    @classmethod
    def from_json(cls, data: dict) -> "Calibration":
        """Reads format 1 too, whose one `joint` temperature divided both heads."""
        if "joint" in data:
            return cls(subtype=data["joint"], type=data["joint"], type_alone=data["type"])
        scope = data["scope"] | {"bar": float("-inf") if data["scope"]["bar"] is None else data["scope"]["bar"]}
        return cls(data["subtype"], data["type"], data["type_alone"], Scope(**scope), Prototypes(**data["prototypes"]))


@dataclass(frozen=True)
class Candidates:
    """Subtypes of one department that only prototypes know, with their unscaled scores (n,)."""

    slugs: tuple[str, ...]
    types: tuple[str, ...]
    scores: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Probabilities of one email.

    `types` is (slug, probability) for every type; `subtypes` the same for every subtype of the
    department, best first, empty when the model does not know the department. `scope` says how
    well anything in the department fits; under `scope_bar` nothing does.
    """

    types: tuple[tuple[str, float], ...]
    subtypes: tuple[tuple[str, float], ...]
    type: str
    type_confidence: float
    subtype: str | None
    subtype_confidence: float
    scope: float = float("inf")
    scope_bar: float = float("-inf")

    @property
    def out_of_scope(self) -> bool:
        return self.scope < self.scope_bar


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def centred(subtype_logits: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
    """A department's logits minus their mean, (…, len(members)): softmax leaves their level arbitrary."""
    own = subtype_logits[..., list(members)]
    return own - own.mean(axis=-1, keepdims=True)


def scope_score(own: np.ndarray, kind: str) -> np.ndarray:
    """How well anything fits, (…,), from centred logits (…, members): higher is better.

    Source: Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings"
    (2022) for the maximum logit; Liu et al., "Energy-based Out-of-distribution Detection" (2020).
    """
    if kind == "max_logit":
        return own.max(axis=-1)
    peak = own.max(axis=-1)
    return peak + np.log(np.exp(own - peak[..., None]).sum(axis=-1))


def joint_log_scores(
    own: np.ndarray, type_logits: np.ndarray, type_of: list[int], calibration: Calibration
) -> np.ndarray:
    """Unnormalised log-scores of candidates (…, candidates), from their scores and (…, types) logits."""
    return own / calibration.subtype + log_softmax(type_logits)[..., type_of] / calibration.type


def score(
    type_logits: np.ndarray,
    subtype_logits: np.ndarray,
    department: str,
    space: LabelSpace,
    calibration: Calibration,
    new: Candidates | None = None,
) -> Scores:
    """Score one email: `type_logits` (types,), `subtype_logits` (subtypes,), `new` from prototypes."""
    members = space.members.get(department, ())
    slugs = [space.subtypes[i].slug for i in members] + list(new.slugs if new else ())
    if not slugs:
        return _type_only(type_logits, space, calibration)
    type_of = [space.type_of[i] for i in members] + [space.types.index(t) for t in (new.types if new else ())]
    own = _own_scores(subtype_logits, members, calibration, new)
    probabilities = np.exp(log_softmax(joint_log_scores(own, type_logits, type_of, calibration)))
    by_type = np.zeros(len(space.types))
    np.add.at(by_type, type_of, probabilities)
    best_type = int(by_type.argmax())
    order = np.argsort(-probabilities, kind="stable")
    best = next(i for i in order if type_of[i] == best_type)
    return Scores(
        types=tuple(zip(space.types, map(float, by_type), strict=True)),
        subtypes=tuple((slugs[i], float(probabilities[i])) for i in order),
        type=space.types[best_type],
        type_confidence=float(by_type[best_type]),
        subtype=slugs[best],
        subtype_confidence=float(probabilities[best]),
        scope=float(scope_score(own, calibration.scope.score)) if len(members) > 1 else float("inf"),
        scope_bar=calibration.scope.bar_of(department),
    )


def _own_scores(
    subtype_logits: np.ndarray, members: tuple[int, ...], calibration: Calibration, new: Candidates | None
) -> np.ndarray:
    known = centred(subtype_logits, members) if members else np.zeros(0)
    if new is None:
        return known
    return np.concatenate([known, new.scores / (1.0 if members else calibration.prototypes.alone)])


def _type_only(type_logits: np.ndarray, space: LabelSpace, calibration: Calibration) -> Scores:
    probabilities = np.exp(log_softmax(type_logits / calibration.type_alone))
    best = int(probabilities.argmax())
    types = tuple(zip(space.types, map(float, probabilities), strict=True))
    return Scores(types, (), space.types[best], float(probabilities[best]), None, 0.0)
