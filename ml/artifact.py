"""A model on disk: a folder of safetensors, ONNX and JSON with a manifest of SHA-256 sums.

    manifest.json       version, trained_at, data hash and size, hyperparameters, metrics, files
    model.safetensors   weights of encoder and heads
    model.onnx          what serves on a CPU, int8 or fp32 as the manifest says
    tokenizer.json      the fast tokenizer
    config.json         the encoder's configuration
    labels.json         types, and per department its subtypes with their type
    calibration.json    temperatures, the bar of the out-of-scope score, the scale of prototypes
    centres.safetensors where the known subtypes lie, for subtypes added later
    validation.json     what the model said of rows it had not seen: thresholds are chosen by it
    test.jsonl.gz       the test rows, that no training of this version saw

Nothing is pickled. A folder is written under a temporary name and renamed when whole.
"""

import gzip
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError

from ml.data import Example, read_examples
from ml.encoder import encoder_tokenizer, sha256_of
from ml.errors import ArtifactError
from ml.prototypes import Centres
from ml.scoring import Calibration
from ml.taxonomy import LabelSpace

FORMAT = 2
READS = (1, 2)  # format 1 has no centres, validation and test rows, and one temperature for both heads
MANIFEST = "manifest.json"
VALIDATION = "validation.json"
REQUIRED = ("config.json", "tokenizer.json", "model.safetensors", "model.onnx", "labels.json", "calibration.json")


@dataclass(frozen=True)
class Artifact:
    """A verified model folder."""

    folder: Path
    manifest: dict
    space: LabelSpace
    calibration: Calibration

    @property
    def version(self) -> str:
        return self.manifest["version"]


def data_hash(examples: Sequence[Example]) -> str:
    """SHA-256 over the labelled texts in order."""
    digest = sha256()
    for e in examples:
        digest.update(json.dumps([e.department, e.subject, e.body, e.type, e.subtype]).encode())
    return digest.hexdigest()


def save_artifact(
    trained,
    folder: Path,
    *,
    version: str,
    trained_by: str = "",
    git_commit: str = "",
    metrics: dict | None = None,
    precision: str = "auto",
    facts: dict | None = None,
    tokenizer: str = "",
) -> Artifact:
    """Write `trained` (a `training.Trained`) as an artifact, ONNX included, and verify it.

    Where a model is written again, `facts` replace what the manifest would say, and `tokenizer` names the folder
    to take the tokenizer from, since the encoder may have moved on.

    Raises ArtifactError when the folder exists or the disk is full; then nothing is left behind.
    """
    if folder.exists():
        raise ArtifactError(f"{folder} exists already; choose another name or archive the old version")
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        chosen = _write_model(trained, work, tokenizer or trained.hyperparameters["encoder"], precision)
        splits, fit = trained.splits, [*trained.splits.train, *trained.splits.validation]
        _write(
            work / MANIFEST,
            {
                "format": FORMAT,
                "version": version,
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "trained_by": trained_by,
                "git_commit": git_commit,
                "encoder": trained.hyperparameters["encoder"],
                "layers": trained.model.layers,
                "onnx": asdict(chosen),
                "training_size": len(fit),
                "split_sizes": splits.sizes | {"left_out": splits.left_out},
                "data_sha256": data_hash(fit),
                "hyperparameters": trained.hyperparameters,
                "notes": trained.notes,
                "metrics": metrics or {},
                **(facts or {}),
                "files": {f.name: sha256_of(f) for f in sorted(work.iterdir())},
            },
        )
        work.rename(folder)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{folder} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return load_artifact(folder)


def _write_model(trained, work: Path, tokenizer: str, precision: str):
    from safetensors.torch import save_file

    from ml.export import export

    trained.model.encoder.config.save_pretrained(work)
    encoder_tokenizer(tokenizer).save(str(work / "tokenizer.json"))
    save_file({k: v.contiguous() for k, v in trained.model.state_dict().items()}, work / "model.safetensors")
    if trained.centres is not None:
        _save_centres(trained.centres, work / "centres.safetensors")
    _write(work / "labels.json", trained.space.to_json())
    _write(work / "calibration.json", trained.calibration.to_json())
    (work / VALIDATION).write_text(json.dumps([asdict(row) for row in trained.validation]), encoding="utf-8")
    with gzip.open(work / "test.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(e.as_row(), ensure_ascii=False) + "\n" for e in trained.splits.test)
    unseen = trained.splits.test or trained.splits.validation
    return export(trained.model, work, trained.space, trained.calibration, unseen, precision)


def _save_centres(centres: Centres, file: Path) -> None:
    """Half precision: directions need no more."""
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"mean": centres.mean.astype(np.float32), "known": centres.known.astype(np.float16)}, file)


def load_artifact(folder: Path) -> Artifact:
    """Verify a model folder against its manifest and read its JSON files.

    Raises ArtifactError naming the file that is missing, foreign or changed.
    """
    manifest = _manifest(folder)
    for name in dict.fromkeys((*REQUIRED, *manifest["files"])):
        _verify(folder, name, manifest["files"])
    return Artifact(
        folder,
        manifest,
        LabelSpace.from_json(_read(folder / "labels.json")),
        Calibration.from_json(_read(folder / "calibration.json")),
    )


def _manifest(folder: Path) -> dict:
    manifest = _read(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") not in READS:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtifactError(
            f"{folder / MANIFEST} has format {found!r}; allowed: {', '.join(map(str, READS))}. "
            "Train the model again, or use the Reviewdesk that wrote it."
        )
    return {"files": {}, **manifest}


def _verify(folder: Path, name: str, listed: dict[str, str]) -> None:
    if name not in listed:
        raise ArtifactError(f"{folder / MANIFEST} does not list {name}; a model folder needs it")
    if not (folder / name).is_file():
        raise ArtifactError(f"{folder / name} is missing; the manifest lists it")
    if (actual := sha256_of(folder / name)) != listed[name]:
        raise ArtifactError(f"{folder / name} has SHA-256 {actual}; the manifest says {listed[name]}")


def load_centres(artifact: Artifact) -> Centres | None:
    """None for a model of format 1."""
    import numpy as np
    from safetensors.numpy import load_file

    file = artifact.folder / "centres.safetensors"
    if not file.is_file():
        return None
    arrays = load_file(file)
    return Centres(arrays["mean"], arrays["known"].astype(np.float32))


def load_test_rows(artifact: Artifact) -> list[Example]:
    """The test rows that came with the model; empty when it has none."""
    if not artifact.manifest.get("split_sizes", {}).get("test"):
        return []
    return read_examples(artifact.folder / "test.jsonl.gz")


def load_validation(folder: Path) -> list[dict]:
    """What a model said of rows it had not seen, as dictionaries of `validation.ValidationRow`; verifies this file alone.

    Empty for a model of format 1. Raises ArtifactError naming a file that is missing or changed.
    """
    if VALIDATION not in (listed := _manifest(folder)["files"]):
        return []
    _verify(folder, VALIDATION, listed)
    return json.loads((folder / VALIDATION).read_text(encoding="utf-8"))


def _write(file: Path, data: dict) -> None:
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{file} is missing; a model folder needs it") from None
    except ValueError as error:
        raise ArtifactError(f"{file} is not JSON: {error}") from None
