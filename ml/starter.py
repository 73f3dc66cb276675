"""The starter model: shipped heads on the frozen MiniLM encoder.

The heads are small and stand beside this file with the hash of the corpus they were fitted on, so
that a first start trains nothing. After a change of the corpus rebuild them with

    python -m ml.starter
"""

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.artifact import data_hash, save_artifact
from ml.data import load_corpus
from ml.encoder import MINILM, resolve_encoder
from ml.errors import ArtifactError
from ml.progress import Bar, Watch, unwatched
from ml.prototypes import Centres
from ml.scoring import Calibration
from ml.splitting import split_three
from ml.taxonomy import LabelSpace, load_taxonomy
from ml.validation import ValidationRow

HEADS = Path(__file__).parent / "starter" / "heads.safetensors"
ABOUT = HEADS.with_name("about.json")
VALIDATION = HEADS.with_name("validation.json.gz")
PREFIXES = ("type_head.", "subtype_head.")


def load_starter():
    """The starter as a `training.Trained`, ready to be saved as an artifact.

    Raises ArtifactError when the shipped heads do not belong to the corpus.
    """
    from safetensors.torch import load_file

    from ml.model import DualHeadClassifier
    from ml.training import Trained

    about = json.loads(ABOUT.read_text())
    if about["data_sha256"] != data_hash(load_corpus()):
        raise ArtifactError(f"{HEADS} was fitted on another corpus; run: python -m ml.starter")
    space = LabelSpace.from_json(about["labels"])
    settings, shipped = about["hyperparameters"], load_file(HEADS)
    model = DualHeadClassifier.from_encoder(resolve_encoder(MINILM), space, layers=settings["layers"])
    centres = Centres(shipped.pop("centres.mean").float().numpy(), shipped.pop("centres.known").float().numpy())
    missing = model.load_state_dict(shipped, strict=False).missing_keys
    if any(key.startswith(PREFIXES) for key in missing):
        raise ArtifactError(f"{HEADS} lacks {', '.join(k for k in missing if k.startswith(PREFIXES))}")
    return Trained(
        model,
        space,
        Calibration.from_json(about["calibration"]),
        centres,
        settings,
        split_three(load_corpus()),
        [ValidationRow(**row) for row in json.loads(gzip.decompress(VALIDATION.read_bytes()))],
        about["notes"],
    )


def save_starter(folder: Path, *, version: str = "starter"):
    """Write the shipped starter as an artifact: fp32, as was measured when the heads were built."""
    return save_artifact(
        load_starter(),
        folder,
        version=version,
        trained_by="shipped with Reviewdesk",
        metrics=starter_metrics(),
        precision="fp32",
    )


def starter_metrics() -> dict:
    """The report on the corpus's test split, made when the heads were built."""
    return json.loads(ABOUT.read_text())["metrics"]


def build_starter(*, watch: Watch = unwatched) -> None:
    """Fit the heads on the corpus's training split, measure them on its test split, and write both."""
    from safetensors.torch import save_file

    from ml.evaluation import full_report
    from ml.predictor import Predictor
    from ml.training import train_frozen

    splits = split_three(load_corpus())
    space = load_taxonomy().label_space()
    trained = train_frozen(splits, encoder=MINILM, space=space, watch=watch)
    HEADS.parent.mkdir(exist_ok=True)
    heads = {k: v.contiguous() for k, v in trained.model.state_dict().items() if k.startswith(PREFIXES)}
    save_file(heads | _tensors(trained.centres), HEADS)
    rows = json.dumps([asdict(row) for row in trained.validation])
    VALIDATION.write_bytes(gzip.compress(rows.encode(), mtime=0))
    with TemporaryDirectory() as folder:
        artifact = save_artifact(trained, Path(folder) / "starter", version="starter")
        metrics = full_report(Predictor(artifact.folder), splits.test, watch=watch)
    about = {
        "data_sha256": data_hash(load_corpus()),
        "hyperparameters": trained.hyperparameters,
        "calibration": trained.calibration.to_json(),
        "notes": trained.notes,
        "onnx": artifact.manifest["onnx"],
        "metrics": metrics,
        "labels": space.to_json(),
    }
    ABOUT.write_text(json.dumps(about, indent=1) + "\n")


def _tensors(centres: Centres | None) -> dict:
    import torch

    if centres is None:
        return {}

    return {
        "centres.mean": torch.from_numpy(centres.mean),
        "centres.known": torch.from_numpy(centres.known).half().contiguous(),
    }


if __name__ == "__main__":
    bar = Bar()
    build_starter(watch=bar)
    bar.close()
