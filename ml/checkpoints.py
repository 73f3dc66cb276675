"""The folder of a fine-tuning run: whose run it is, its last whole checkpoint, and what a full disk does to it."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ml.artifact import data_hash
from ml.data import Example
from ml.errors import TrainingError

ABOUT = "run.json"
WHOLE = ("trainer_state.json", "optimizer.pt", "scheduler.pt", "model.safetensors")


def prepare_run(folder: Path, settings: dict, examples: Sequence[Example]) -> None:
    """Make the folder ready: an interrupted run on the same data and settings is kept, another one removed."""
    about = {"settings": settings, "data_sha256": data_hash(examples)}
    file = folder / ABOUT
    if folder.is_dir() and not file.is_file() and any(folder.iterdir()):
        raise TrainingError(f"{folder} holds something else than a training run; choose another name")
    if folder.exists() and (not file.is_file() or json.loads(file.read_text()) != about):
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.is_file():
            file.write_text(json.dumps(about, indent=1) + "\n")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}") from None


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; half-written ones are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda f: int(f.name.rpartition("-")[2]), reverse=True)
    for checkpoint in found:
        if _is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _is_whole(checkpoint: Path) -> bool:
    """The Trainer writes its state last; a readable one means that the rest was written."""
    try:
        json.loads((checkpoint / WHOLE[0]).read_text())
    except (OSError, ValueError):
        return False
    return all((checkpoint / name).is_file() for name in WHOLE)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns a checkpoint that cannot be written into an error that says what to do."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "writ" not in str(error).lower():
            raise
        kept = last_checkpoint(folder)
        raise TrainingError(
            f"{folder}: a checkpoint could not be written ({error}); make room and give the same command again: "
            + (f"it goes on from {kept.name}" if kept else "it starts from the beginning")
        ) from None
