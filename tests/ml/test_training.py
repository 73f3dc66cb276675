"""Frozen training, fine-tuning of a DeBERTa-shaped encoder, and the artifact they give."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import DebertaV2Config, DebertaV2Model

from ml.artifact import load_artifact, save_artifact
from ml.data import Example
from ml.encoder import MINILM
from ml.errors import ArtifactError, DataError, EncoderError
from ml.finetuning import FineTuneSettings, fine_tune
from ml.predictor import Predictor
from ml.runtimes import load_runtime
from ml.taxonomy import LabelSpace
from ml.training import train_frozen

ROWS = {
    "outage": (
        "complaint",
        ["the server is down", "nothing works, all offline", "total outage again", "site unreachable"],
    ),
    "reset": (
        "query",
        ["how do I reset my password", "please unlock my account", "new password please", "cannot log in, reset?"],
    ),
    "ad": ("spam", ["buy cheap pills now", "best rates for loans", "win a prize today", "limited offer, click here"]),
}
EXAMPLES = [Example("it", "", t, kind, name) for name, (kind, texts) in ROWS.items() for t in texts for _ in range(2)]
SPACE = LabelSpace.from_labels((e.department, e.subtype, e.type) for e in EXAMPLES)


@pytest.fixture(scope="module")
def tiny_deberta(tmp_path_factory):
    """A folder with a randomly initialised DeBERTa-v3-shaped encoder and a word tokenizer."""
    folder = tmp_path_factory.mktemp("deberta")
    words = sorted({w for e in EXAMPLES for w in e.body.replace(",", " ").replace("?", " ").split()} | {"it"})
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=512, relative_attention=True, position_buckets=32, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
    )  # fmt: skip
    DebertaV2Model(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    trained = train_frozen(EXAMPLES, encoder=MINILM, space=SPACE)
    return save_artifact(trained, tmp_path_factory.mktemp("models") / "m", version="m", examples=EXAMPLES)


@pytest.mark.filterwarnings("ignore")
def test_deberta_is_fine_tuned_exported_and_agrees_with_torch(tiny_deberta, tmp_path):
    settings = FineTuneSettings(
        epochs=12, learning_rate=5e-3, warmup_steps=2, eval_steps=5, validation=0.25, patience=20
    )
    trained = fine_tune(EXAMPLES, encoder=tiny_deberta, space=SPACE, output=tmp_path / "run", settings=settings)
    artifact = save_artifact(trained, tmp_path / "deb", version="deb", examples=EXAMPLES)
    onnx, reference = load_runtime("onnx", artifact), load_runtime("torch", artifact)
    for ids in ([1, 5, 2, 6, 7, 2], [1, 4, 2] + [8] * 200 + [2]):
        for a, b in zip(onnx.logits(ids), reference.logits(ids), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)
    predictor = Predictor(tmp_path / "deb")
    right = [predictor.predict("it", "", e.body).subtype == e.subtype for e in EXAMPLES]
    assert np.mean(right) > 0.8


def test_frozen_heads_learn_and_both_runtimes_agree(frozen):
    a, b = Predictor(frozen.folder, "onnx"), Predictor(frozen.folder, "torch")
    for e in EXAMPLES:
        x, y = a.predict("it", "", e.body), b.predict("it", "", e.body)
        assert x.subtype == y.subtype == e.subtype
        assert x.subtype_confidence == pytest.approx(y.subtype_confidence, abs=1e-4)


def test_the_manifest_describes_the_artifact(frozen):
    manifest = json.loads((frozen.folder / "manifest.json").read_text())
    assert manifest["training_size"] == len(EXAMPLES)
    assert set(manifest["files"]) >= {"model.safetensors", "model.onnx", "tokenizer.json", "labels.json", "config.json"}
    assert not [f for f in frozen.folder.iterdir() if f.suffix in (".pkl", ".bin", ".pt")]


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "labels.json"])
def test_a_corrupt_file_is_refused_by_name(frozen, tmp_path, name):
    import shutil

    copy = shutil.copytree(frozen.folder, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        load_artifact(copy)
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        load_artifact(copy)


def test_bad_training_data_is_named():
    with pytest.raises(DataError, match="fewer than two subtypes"):
        train_frozen(EXAMPLES[:2], encoder=MINILM, space=SPACE)
    with pytest.raises(DataError, match="two types"):
        LabelSpace.from_labels([("it", "x", "query"), ("it", "x", "complaint")])
    with pytest.raises(EncoderError, match="does not exist"):
        train_frozen(EXAMPLES, encoder="./nowhere", space=SPACE)
