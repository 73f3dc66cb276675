"""A model on disk: a folder of safetensors, ONNX and JSON with a manifest of SHA-256 sums.

    manifest.json     version, trained_at, data hash and size, hyperparameters, metrics, files
    model.safetensors weights of encoder and heads
    model.onnx        what serves on a CPU
    tokenizer.json    the fast tokenizer
    config.json       the encoder's configuration
    labels.json       types, and per department its subtypes with their type
    calibration.json  temperatures

Nothing is pickled. A folder is written under a temporary name and renamed when whole.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from ml.data import Example
from ml.encoder import resolve_encoder, sha256_of
from ml.errors import ArtifactError
from ml.scoring import Calibration
from ml.taxonomy import LabelSpace

FORMAT = 1
MANIFEST = "manifest.json"


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
    examples: Sequence[Example],
    trained_by: str = "",
    git_commit: str = "",
    metrics: dict | None = None,
) -> Artifact:
    """Write `trained` (a `training.Trained`) as an artifact, ONNX included, and verify it."""
    from safetensors.torch import save_file

    from ml.export import export_onnx

    if folder.exists():
        raise ArtifactError(f"{folder} exists already; choose another name or archive the old version")
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        trained.model.encoder.config.save_pretrained(work)
        shutil.copyfile(tokenizer_file(trained.hyperparameters["encoder"]), work / "tokenizer.json")
        save_file({k: v.contiguous() for k, v in trained.model.state_dict().items()}, work / "model.safetensors")
        export_onnx(trained.model, work / "model.onnx")
        _write(work / "labels.json", trained.space.to_json())
        _write(work / "calibration.json", asdict(trained.calibration))
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
                "training_size": len(examples),
                "data_sha256": data_hash(examples),
                "hyperparameters": trained.hyperparameters,
                "metrics": metrics or {},
                "files": {f.name: sha256_of(f) for f in sorted(work.iterdir())},
            },
        )
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return load_artifact(folder)


def load_artifact(folder: Path) -> Artifact:
    """Verify a model folder against its manifest and read its JSON files.

    Raises ArtifactError naming the file that is missing, foreign or changed.
    """
    manifest = _read(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"{folder / MANIFEST} has format {manifest.get('format')!r}; this version reads {FORMAT}")
    for name, expected in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise ArtifactError(f"{file} is missing; the manifest lists it")
        if (actual := sha256_of(file)) != expected:
            raise ArtifactError(f"{file} has SHA-256 {actual}; the manifest says {expected}")
    return Artifact(
        folder,
        manifest,
        LabelSpace.from_json(_read(folder / "labels.json")),
        Calibration(**_read(folder / "calibration.json")),
    )


def tokenizer_file(encoder: str) -> Path:
    """The encoder's `tokenizer.json`; a hub name is fetched through transformers first."""
    source = Path(resolve_encoder(encoder))
    if (source / "tokenizer.json").is_file():
        return source / "tokenizer.json"
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(encoder, "tokenizer.json"))


def _write(file: Path, data: dict) -> None:
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{file} is missing; a model folder needs it") from None
    except ValueError as error:
        raise ArtifactError(f"{file} is not JSON: {error}") from None
