"""Small labelled data and a tiny encoder, for tests that train."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import DebertaV2Config, DebertaV2Model

from ml.data import Example
from ml.splitting import Splits
from ml.taxonomy import LabelSpace

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
SPLITS = Splits(train=EXAMPLES, validation=EXAMPLES[::3], test=EXAMPLES[1::3])


def save_tiny_deberta(folder: Path) -> str:
    """A randomly initialised DeBERTa-v3-shaped encoder and a word tokenizer."""
    words = sorted({w for e in EXAMPLES for w in e.body.replace(",", " ").replace("?", " ").split()} | {"it"})
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    DebertaV2Model(deberta_config(len(vocabulary), hidden_size=32, num_hidden_layers=2, heads=4)).save_pretrained(
        folder
    )
    return str(folder)


def deberta_config(vocabulary: int, *, hidden_size: int, num_hidden_layers: int, heads: int) -> DebertaV2Config:
    """The shape of DeBERTa-v3 at any size."""
    return DebertaV2Config(
        vocab_size=vocabulary, hidden_size=hidden_size, num_hidden_layers=num_hidden_layers,
        num_attention_heads=heads, intermediate_size=4 * hidden_size if hidden_size > 100 else 64,
        max_position_embeddings=512, relative_attention=True, position_buckets=32, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
    )  # fmt: skip
