"""How well a department is served that the model was not trained on, from a handful of examples a subtype.

The department's rows are kept out of training altogether; its subtypes then join by prototypes, as
they do in the desk when somebody adds a department.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.artifact import save_artifact
from ml.data import Example
from ml.errors import DataError
from ml.evaluation import report, run
from ml.predictor import NewSubtype, Predictor
from ml.prototypes import EXAMPLES
from ml.splitting import Splits
from ml.taxonomy import LabelSpace
from ml.training import Trained


@dataclass(frozen=True)
class HeldOut:
    """Figures of one department that was held out, on `n` rows, with `examples` texts a subtype."""

    n: int
    examples: int
    type_accuracy: float
    subtype_accuracy: float
    subtype_interval: list[float]
    ece: float


def without(splits: Splits, departments: Sequence[str]) -> Splits:
    """The splits without the rows of some departments. Raises DataError for a department that has no rows."""
    known = sorted({e.department for e in splits.train})
    for d in departments:
        if d not in known:
            raise DataError(f"department {d!r} is not in the data; allowed: {', '.join(known)}", field="department")
    if set(known) <= set(departments):
        raise DataError("every department would be held out; at least one must be left to train on")

    def keep(rows: list[Example]) -> list[Example]:
        return [e for e in rows if e.department not in departments]

    return replace(splits, train=keep(splits.train), validation=keep(splits.validation), test=keep(splits.test))


def space_of(rows: Sequence[Example]) -> LabelSpace:
    """The label space that rows span."""
    return LabelSpace.from_labels((e.department, e.subtype, e.type) for e in rows)


def hold_out(
    splits: Splits,
    department: str,
    train: Callable[[Splits, LabelSpace], Trained],
    *,
    examples: int = EXAMPLES,
    seed: int = 42,
) -> HeldOut:
    """Train without one department, add it by prototypes, and measure on its test and validation rows."""
    rest = without(splits, [department])
    trained = train(rest, space_of([*rest.train, *rest.validation]))
    with TemporaryDirectory() as folder:
        artifact = save_artifact(trained, Path(folder) / "model", version="held-out", precision="fp32")
        predictor = Predictor(artifact.folder)
        own = [e for e in splits.train if e.department == department]
        predictor.learn(new_subtypes(own, examples, seed=seed))
        rows = [e for e in [*splits.test, *splits.validation] if e.department == department]
        figures = report(run(predictor, rows))
    subtype = figures["subtype"]
    return HeldOut(
        figures["n"],
        examples,
        figures["type"]["accuracy"],
        subtype["accuracy"],
        subtype["accuracy_interval"],
        subtype["ece"],
    )


def new_subtypes(rows: Sequence[Example], examples: int = EXAMPLES, *, seed: int = 42) -> list[NewSubtype]:
    """The subtypes of rows, each with so many of them as examples."""
    rng = random.Random(seed)
    found: dict[tuple[str, str, str], list[Example]] = {}
    for e in rows:
        found.setdefault((e.department, e.subtype, e.type), []).append(e)
    return [
        NewSubtype(d, s, t, tuple((e.subject, e.body) for e in rng.sample(group, min(examples, len(group)))))
        for (d, s, t), group in found.items()
    ]
