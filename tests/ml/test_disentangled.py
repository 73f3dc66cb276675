"""The compact form of DeBERTa's attention gives the library's results, at any length and in every variant."""

import pytest
import torch
from transformers import BertConfig, BertModel, DebertaV2Model

from ml.disentangled import compact_attention
from tests.ml.samples import deberta_config


def encoder(**changes):
    torch.manual_seed(0)
    config = deberta_config(100, hidden_size=32, num_hidden_layers=2, heads=2)
    for name, value in changes.items():
        setattr(config, name, value)
    model = DebertaV2Model(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" not in name:
                weight.mul_(15)  # at the usual start all positions look alike
    return model


@pytest.mark.parametrize("length", [2, 7, 60, 300])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_att_key": False},
        {"pos_att_type": ["c2p"]},
        {"pos_att_type": ["p2c"]},
        {"position_buckets": -1, "max_relative_positions": 300},
    ],
    ids=str,
)
def test_it_gives_what_the_library_gives(changes, length):
    model = encoder(**changes)
    ids = torch.randint(1, 100, (3, length), generator=torch.Generator().manual_seed(length))
    mask = torch.ones_like(ids)
    mask[1, max(1, length // 2) :] = 0
    with torch.inference_mode():
        expected = model(ids, mask).last_hidden_state
        with compact_attention(model):
            found = model(ids, mask).last_hidden_state
        shuffled = model(ids.flip(1), mask).last_hidden_state.flip(1)
    torch.testing.assert_close(found[mask > 0], expected[mask > 0], atol=1e-4, rtol=1e-4)
    assert (shuffled - expected)[0].abs().max() > 0.01, "positions must matter, or this test says nothing"


def test_the_library_form_is_back_after_the_block():
    model = encoder()
    with pytest.raises(RuntimeError), compact_attention(model):
        raise RuntimeError
    assert not any("forward" in vars(m) for m in model.modules())


def test_other_encoders_are_left_alone():
    model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32))
    with compact_attention(model):
        assert not any("forward" in vars(m) for m in model.modules())
