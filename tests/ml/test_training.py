"""Frozen training, fine-tuning of a DeBERTa-shaped encoder, and the artifact they give."""

import json
import shutil

import numpy as np
import pytest

from ml.artifact import load_artifact, load_centres, load_test_rows, load_validation, save_artifact
from ml.data import Example
from ml.encoder import MINILM
from ml.errors import ArtifactError, DataError, EncoderError
from ml.finetuning import FineTuneSettings, fine_tune
from ml.predictor import Predictor
from ml.rewrite import export_again
from ml.runtimes import load_runtime
from ml.scoring import Calibration
from ml.splitting import Splits
from ml.taxonomy import LabelSpace
from ml.training import FrozenSettings, train_frozen
from tests.ml.samples import EXAMPLES, SPACE, SPLITS, save_tiny_deberta


@pytest.fixture(scope="module")
def tiny_deberta(tmp_path_factory):
    return save_tiny_deberta(tmp_path_factory.mktemp("deberta"))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    trained = train_frozen(SPLITS, encoder=MINILM, space=SPACE)
    return save_artifact(trained, tmp_path_factory.mktemp("models") / "m", version="m")


@pytest.mark.filterwarnings("ignore")
def test_deberta_is_fine_tuned_exported_and_agrees_with_torch(tiny_deberta, tmp_path):
    settings = FineTuneSettings(epochs=12, learning_rate=5e-3, warmup_steps=2, eval_steps=5, patience=20)
    trained = fine_tune(SPLITS, encoder=tiny_deberta, space=SPACE, output=tmp_path / "run", settings=settings)
    artifact = save_artifact(trained, tmp_path / "deb", version="deb")
    onnx, reference = load_runtime("onnx", artifact), load_runtime("torch", artifact)
    ids = [[1, 5, 2, 6, 7, 2], [1, 4, 2] + [8] * 200 + [2]]
    for a, b in zip(onnx.run(ids), reference.run(ids), strict=True):
        for name in ("types", "subtypes", "embedding"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-4)
    predictor = Predictor(tmp_path / "deb")
    right = [predictor.predict("it", "", e.body).subtype == e.subtype for e in EXAMPLES]
    assert np.mean(right) > 0.8
    history = trained.notes["history"]
    assert {"loss", "validation_loss", "subtype_accuracy"} <= set(history[1])
    assert (tmp_path / "run" / "curve.png").stat().st_size > 5_000


def test_frozen_heads_learn_and_both_runtimes_agree(frozen):
    a, b = Predictor(frozen.folder, "onnx"), Predictor(frozen.folder, "torch")
    rows = [("it", "", e.body) for e in EXAMPLES]
    for e, x, y in zip(EXAMPLES, a.predict_many(rows), b.predict_many(rows), strict=True):
        assert x.subtype == y.subtype == e.subtype
        assert x.subtype_confidence == pytest.approx(y.subtype_confidence, abs=1e-4)


def test_class_weights_let_a_rare_subtype_weigh_more():
    rare = Splits(train=[e for e in EXAMPLES if e.subtype != "ad"] + EXAMPLES[-1:])
    said = [
        train_frozen(
            rare, encoder=MINILM, space=SPACE, settings=FrozenSettings(c=0.3, layers=1, folds=2, class_weights=weights)
        ).model.subtype_head.bias[SPACE.index["it", "ad"]].item()
        for weights in (False, True)
    ]  # fmt: skip
    assert said[1] > said[0]


def test_the_manifest_describes_the_artifact(frozen):
    manifest = json.loads((frozen.folder / "manifest.json").read_text())
    assert manifest["training_size"] == len(SPLITS.train) + len(SPLITS.validation)
    assert manifest["split_sizes"]["test"] == len(SPLITS.test) == len(load_test_rows(frozen))
    assert load_test_rows(frozen)[0].body == SPLITS.test[0].body
    assert len(load_validation(frozen.folder)) == manifest["training_size"]
    assert manifest["notes"]["rare_subtypes"] == {"it/ad": 8, "it/outage": 8, "it/reset": 8}
    assert manifest["notes"]["train_accuracy"]["subtype"] == 1.0
    assert set(manifest["files"]) >= {"model.safetensors", "model.onnx", "tokenizer.json", "labels.json", "config.json"}
    assert not [f for f in frozen.folder.iterdir() if f.suffix in (".pkl", ".bin", ".pt")]


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "labels.json", "validation.json"])
def test_a_corrupt_file_is_refused_by_name(frozen, tmp_path, name):
    copy = shutil.copytree(frozen.folder, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        load_artifact(copy)
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        load_artifact(copy)


def test_a_foreign_folder_is_refused_by_name(frozen, tmp_path):
    copy = shutil.copytree(frozen.folder, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    for change, message in (
        ({"format": 99}, r"manifest.json has format 99; allowed: 1, 2"),
        ({"format": 2, "files": {}}, r"does not list config.json"),
    ):
        (copy / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(ArtifactError, match=message):
            load_artifact(copy)
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(ArtifactError, match="has format None"):
        load_artifact(copy)
    with pytest.raises(ArtifactError, match="manifest.json is missing"):
        load_artifact(tmp_path)


def test_an_artifact_of_the_first_format_still_serves(frozen, tmp_path):
    """Format 1 had one temperature for both heads, and neither centres nor validation nor test rows."""
    from ml.encoder import sha256_of

    copy = shutil.copytree(frozen.folder, tmp_path / "old")
    for name in ("centres.safetensors", "validation.json", "test.jsonl.gz"):
        (copy / name).unlink()
    (copy / "calibration.json").write_text(json.dumps({"joint": 0.8, "type": 0.9}))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest |= {"format": 1, "files": {f.name: sha256_of(f) for f in copy.iterdir() if f.name != "manifest.json"}}
    manifest = {k: v for k, v in manifest.items() if k not in ("split_sizes", "notes", "onnx")}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    old = Predictor(copy)
    assert old.artifact.calibration == Calibration(subtype=0.8, type=0.8, type_alone=0.9)
    answer = old.predict("it", "", "the server is down")
    assert (answer.subtype, answer.out_of_scope) == ("outage", False)
    assert load_centres(old.artifact) is None and load_test_rows(old.artifact) == load_validation(copy) == []
    new = export_again(copy, tmp_path / "new")
    assert new.manifest["format"] == 2 and new.manifest["training_size"] == manifest["training_size"]


def test_a_model_is_exported_again_in_int8(frozen, tmp_path):
    small = export_again(frozen.folder, tmp_path / "small", precision="int8")
    assert (small.folder / "model.onnx").stat().st_size < 0.7 * (frozen.folder / "model.onnx").stat().st_size
    assert (
        small.manifest["onnx"]["precision"] == "int8" and small.manifest["trained_at"] == frozen.manifest["trained_at"]
    )
    assert Predictor(small.folder).predict("it", "", "the server is down").subtype == "outage"
    with pytest.raises(ArtifactError, match="exists already"):
        export_again(frozen.folder, tmp_path / "small")


def test_a_model_is_exported_again_where_its_encoder_is_out_of_reach(frozen, tmp_path):
    copy = shutil.copytree(frozen.folder, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["hyperparameters"]["encoder"] = "somewhere/else"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    again = export_again(copy, tmp_path / "again", precision="fp32")
    assert (again.folder / "tokenizer.json").read_text() == (frozen.folder / "tokenizer.json").read_text()


def test_a_disk_that_fills_while_weights_are_written_leaves_nothing(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    trained = train_frozen(SPLITS, encoder=MINILM, space=SPACE, settings=FrozenSettings(layers=1, folds=2))

    def full(*args, **kwargs):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(ArtifactError, match="cannot be written: I/O error: No space left"):
        save_artifact(trained, tmp_path / "m", version="m")
    assert not list(tmp_path.iterdir())


def test_bad_training_data_is_named():
    with pytest.raises(DataError, match="fewer than two subtypes"):
        train_frozen(Splits(train=EXAMPLES[:2]), encoder=MINILM, space=SPACE)
    with pytest.raises(DataError, match="two types"):
        LabelSpace.from_labels([("it", "x", "query"), ("it", "x", "complaint")])
    with pytest.raises(EncoderError, match="does not exist"):
        train_frozen(SPLITS, encoder="./nowhere", space=SPACE)
    with pytest.raises(DataError, match="all training rows say nearly the same"):
        same = [Example("it", "", "the same text", "query", name) for name in ("reset", "outage") for _ in range(3)]
        train_frozen(
            Splits(train=same), encoder=MINILM, space=LabelSpace.from_labels(("it", e.subtype, e.type) for e in same)
        )
    for settings, message in (({"c": 0}, "c is 0; allowed: from"), ({"layers": -1}, "layers is -1")):
        with pytest.raises(DataError, match=message):
            FrozenSettings(**settings)
    with pytest.raises(DataError, match="layers is 9; allowed: 0 to 6"):
        train_frozen(SPLITS, encoder=MINILM, space=SPACE, settings=FrozenSettings(layers=9))
    with pytest.raises(DataError, match="not in department"):
        train_frozen(SPLITS, encoder=MINILM, space=LabelSpace(SPACE.subtypes[:2]))
