"""What is learnt from rows the heads did not see: the temperatures, and how confidence went with being right."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml.calibration import fit_head_temperatures, fit_temperature
from ml.data import Example
from ml.heads import Logits
from ml.scoring import Calibration, centred, log_softmax, score
from ml.taxonomy import LabelSpace


@dataclass(frozen=True)
class ValidationRow:
    """One row that the heads did not see, and what they said: enough to choose thresholds by."""

    department: str
    type: str
    subtype: str
    predicted_type: str
    predicted_subtype: str
    type_confidence: float
    subtype_confidence: float
    scope: float


def fit_temperatures(logits: Logits, examples: Sequence[Example], space: LabelSpace) -> Calibration:
    """Temperatures of both heads together, and of the type head alone."""
    own, of_type, places = [], [], []
    types = log_softmax(logits.types)
    for row, e in enumerate(examples):
        members = space.members[e.department]
        own.append(centred(logits.subtypes[row], members))
        of_type.append(types[row][[space.type_of[i] for i in members]])
        places.append(members.index(space.index[e.department, e.subtype]))
    subtype, type_ = fit_head_temperatures(own, of_type, places)
    alone = fit_temperature(list(types), [space.types.index(e.type) for e in examples])
    return Calibration(subtype, type_, alone)


def judge(
    logits: Logits, examples: Sequence[Example], space: LabelSpace, calibration: Calibration
) -> list[ValidationRow]:
    """What the calibrated heads say of rows they did not see."""
    rows = []
    for i, e in enumerate(examples):
        s = score(logits.types[i], logits.subtypes[i], e.department, space, calibration)
        rows.append(
            ValidationRow(
                e.department, e.type, e.subtype, s.type, s.subtype or "",
                round(s.type_confidence, 5), round(s.subtype_confidence, 5), round(s.scope, 4),
            )
        )  # fmt: skip
    return rows
