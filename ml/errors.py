"""What can go wrong in `ml`, each error naming the thing, the bad value and what is allowed.

MLError
├── DataError      a row or a file that cannot be used for training or evaluation
├── ArtifactError  a model folder that is missing, foreign or corrupt
├── EncoderError   an encoder that cannot be found or is not the one we pinned
└── TrainingError  a run that cannot go on: the disk, the memory
    └── Diverged   its loss is no number any more
"""


class MLError(Exception):
    """Base of every error that `ml` raises on purpose."""


class DataError(MLError):
    """A data file or one of its rows is unusable."""

    def __init__(self, reason: str, *, file: str = "", line: int | None = None, field: str = ""):
        self.reason, self.file, self.line, self.field = reason, file, line, field
        place = ", ".join(
            part for part in (file, f"line {line}" if line else "", f"field {field}" if field else "") if part
        )
        super().__init__(f"{place}: {reason}" if place else reason)


class ArtifactError(MLError):
    """A model artifact is missing, foreign or corrupt; the message names the file."""


class EncoderError(MLError):
    """An encoder cannot be found or does not carry the pinned weights."""


class TrainingError(MLError):
    """A training run cannot go on; the message says what to change, and that the run can be resumed."""


class Diverged(TrainingError):
    """The loss became infinite or no number: the settings are at fault, not the machine."""
