"""Writes a model folder again from its weights: with ONNX in another precision, or an older format brought up to date."""

from dataclasses import replace
from pathlib import Path

from ml.artifact import Artifact, load_artifact, load_centres, load_test_rows, load_validation, save_artifact
from ml.errors import ArtifactError
from ml.splitting import Splits
from ml.validation import ValidationRow


def export_again(source: Path, target: Path, *, precision: str = "auto") -> Artifact:
    """Export `source` as the new folder `target`. Raises ArtifactError when either is unusable."""
    from safetensors.torch import load_file

    from ml.model import DualHeadClassifier
    from ml.training import Trained

    if target.exists():
        raise ArtifactError(f"{target} exists already; choose another name")
    old = load_artifact(source)
    model = DualHeadClassifier.from_config(str(source), old.space, layers=old.manifest["layers"])
    model.load_state_dict(load_file(source / "model.safetensors"))
    trained = Trained(
        model,
        old.space,
        old.calibration,
        load_centres(old),
        old.manifest["hyperparameters"],
        replace(Splits(), test=load_test_rows(old)),
        [ValidationRow(**row) for row in load_validation(source)],
        old.manifest.get("notes", {}),
    )
    kept = ("trained_at", "trained_by", "git_commit", "training_size", "split_sizes", "data_sha256", "metrics")
    facts = {name: old.manifest[name] for name in kept if name in old.manifest}
    return save_artifact(trained, target, version=target.name, precision=precision, facts=facts, tokenizer=str(source))
