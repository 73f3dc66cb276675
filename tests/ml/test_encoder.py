"""Encoders by name: their tokenizer in any form the hub knows, and errors that name them."""

import io

import pytest
import sentencepiece
from transformers import DebertaV2Config

from ml.encoder import MINILM, encoder_tokenizer
from ml.errors import EncoderError
from ml.model import DualHeadClassifier
from ml.tokenizing import encode_email, load_tokenizer
from tests.ml.samples import EXAMPLES, SPACE


@pytest.fixture(scope="module")
def sentencepiece_encoder(tmp_path_factory):
    """A folder as DeBERTa-v3 lies on the hub: spm.model and no tokenizer.json."""
    folder = tmp_path_factory.mktemp("spm")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([e.body for e in EXAMPLES]), model_writer=model, vocab_size=60, hard_vocab_limit=False,
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
        unk_piece="[UNK]", minloglevel=2,
    )  # fmt: skip
    (folder / "spm.model").write_bytes(model.getvalue())
    DebertaV2Config(vocab_size=200).save_pretrained(folder)
    return str(folder)


@pytest.mark.filterwarnings("ignore")
def test_a_sentencepiece_tokenizer_is_converted_and_saved(sentencepiece_encoder, tmp_path):
    text = "the server is down"
    ids = encode_email(load_tokenizer(sentencepiece_encoder), "it", "", text)
    assert len(ids) > 6 and len(set(ids)) > 4
    encoder_tokenizer(sentencepiece_encoder).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    assert encode_email(load_tokenizer(tmp_path), "it", "", text) == ids


def test_an_encoder_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=rf"encoder '{tmp_path}' cannot be loaded.*allowed: {MINILM}"):
        encoder_tokenizer(str(tmp_path))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        DualHeadClassifier.from_encoder(str(tmp_path), SPACE)
