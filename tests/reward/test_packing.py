"""Rows read without padding: the same states and gradients as rows with it."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_models import VOCABULARY, bert_config
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    DebertaV2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

from humanalign.reward.packing import STEADY, layout, read_without_padding
from humanalign.reward.shared_prompt import Prefix, shared_prefixes

CLOSE = 1e-5
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
CAUSAL = {
    "gpt2": GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=64, n_embd=32, n_layer=2, n_head=2, pad_token_id=0
    ),
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2),
}
BOTH_WAYS = {"bert": bert_config(pad_token_id=0), "roberta": RobertaConfig(**SIZES)}


def made(config: PreTrainedConfig, kind: type = AutoModel) -> PreTrainedModel:
    torch.manual_seed(0)
    # Of a config of its own: packing names its attention there.
    return kind.from_config(copy.deepcopy(config)).eval()


def batch(*, left: bool = False) -> tuple[Tensor, Tensor]:
    """Six rows of 3 to 30 tokens; the first three begin alike, as answers to one prompt do."""
    torch.manual_seed(1)
    ids = torch.randint(2, len(VOCABULARY), (6, 30))
    ids[1, :20], ids[2, :12] = ids[0, :20], ids[0, :12]
    mask = torch.arange(30) < torch.tensor([30, 25, 14, 3, 30, 9])[:, None]
    ids[~mask] = 0
    return (ids.flip(1), mask.flip(1)) if left else (ids, mask)


@pytest.mark.parametrize("name", [*BOTH_WAYS, *CAUSAL])
def test_states_and_gradients_are_those_of_the_padded_batch(name):
    model = made({**BOTH_WAYS, **CAUSAL}[name])
    padded = copy.deepcopy(model)
    assert read_without_padding(model)
    ids, mask = batch()
    weights = torch.randn(6, 30, 32) * mask[..., None]
    for one in (model, padded):
        states = one(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        (states * weights).sum().backward()
    largest = max(float(p.grad.abs().max()) for p in padded.parameters() if p.grad is not None)
    for found, expected in zip(model.parameters(), padded.parameters(), strict=True):
        if expected.grad is not None:
            assert torch.allclose(found.grad, expected.grad, atol=CLOSE * largest)


@pytest.mark.parametrize("name", [*BOTH_WAYS, *CAUSAL])
def test_a_row_alone_has_the_states_it_has_among_others(name):
    model = made({**BOTH_WAYS, **CAUSAL}[name])
    plain = model.forward
    assert read_without_padding(model)
    ids, mask = batch()
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        for row, length in enumerate(mask.sum(1).tolist()):
            alone = plain(input_ids=ids[row : row + 1, :length]).last_hidden_state[0]
            assert torch.allclose(together[row, :length], alone, atol=CLOSE)


@pytest.mark.parametrize("kind", ["bert", "roberta", "llama"])
def test_the_score_of_a_native_head_is_the_same_packed(kind):
    model = made({**BOTH_WAYS, **CAUSAL}[kind], AutoModelForSequenceClassification)
    ids, mask = batch()
    with torch.no_grad():
        padded = model(input_ids=ids, attention_mask=mask.long()).logits
        assert read_without_padding(model.base_model)
        packed = model(input_ids=ids, attention_mask=mask.long()).logits
    assert torch.allclose(packed, padded, atol=CLOSE)


def test_padding_on_the_left_changes_nothing():
    model = made(CAUSAL["llama"])
    read_without_padding(model)
    ids, mask = batch()
    wide = torch.zeros(6, 5, dtype=torch.long)
    with torch.no_grad():
        right = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        left = model(
            input_ids=torch.cat([wide, ids], 1), attention_mask=torch.cat([wide, mask.long()], 1)
        ).last_hidden_state
    assert torch.allclose(left[:, 5:][mask], right[mask], atol=CLOSE)


def test_segments_are_read_packed_as_well():
    model = made(BOTH_WAYS["bert"])
    ids, mask = batch()
    named = {"input_ids": ids, "attention_mask": mask.long()}
    named["token_type_ids"] = (torch.arange(30) > 4).long().expand(6, 30)
    with torch.no_grad():
        padded = model(**named).last_hidden_state
        read_without_padding(model)
        packed = model(**named).last_hidden_state
    assert torch.allclose(packed[mask], padded[mask], atol=CLOSE)


def test_an_architecture_with_attention_of_its_own_is_left_as_it_is():
    config = DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"])
    model = made(config)
    assert not read_without_padding(model)
    assert "forward" not in vars(model)


def test_rows_beyond_a_sliding_window_are_read_as_the_model_would():
    config = LlamaConfig(**SIZES)
    config.sliding_window = 24
    model = made(config)
    calls = []
    layer = model.get_submodule("layers.0")
    layer.register_forward_pre_hook(
        lambda _, _args, k: calls.append(k.get("spans")), with_kwargs=True
    )
    assert read_without_padding(model)
    ids, mask = batch()
    calls.clear()
    model(input_ids=ids, attention_mask=mask.long())
    model(input_ids=ids[3:4], attention_mask=mask[3:4].long())
    assert [spans is None for spans in calls] == [True, False]


def test_a_causal_model_reads_a_shared_prompt_once():
    ids, mask = batch()
    assert len(layout(ids, mask, share=False).kept) == 30 + 25 + 14 + 3 + 30 + 9
    assert len(layout(ids, mask, share=True).kept) == 30 + 5 + 2 + 3 + 30 + 9


def rows(*texts: str) -> list[Tensor]:
    return [torch.tensor([ord(letter) for letter in text]) for text in texts]


def test_a_row_shares_what_it_begins_with_and_keeps_a_token_of_its_own():
    found = shared_prefixes(rows("promptabc", "promptxy", "prompt", "promptabc"), least=3)
    assert found == [Prefix(0, 0), Prefix(0, 6), Prefix(0, 5), Prefix(0, 8)]


def test_a_prompt_cut_to_other_lengths_is_not_shared():
    assert shared_prefixes(rows("prompt-one", "ompt-two"), least=3) == [Prefix(0, 0), Prefix(1, 0)]


def test_the_next_prompt_starts_anew():
    found = shared_prefixes(rows("first a", "first b", "other a", "other b"), least=3)
    assert found == [Prefix(0, 0), Prefix(0, 6), Prefix(2, 0), Prefix(2, 6)]


@pytest.mark.parametrize("name", [*BOTH_WAYS, *CAUSAL])
def test_a_long_row_is_filled_up_and_nobody_sees_what_with(name):
    model = made({**BOTH_WAYS, **CAUSAL}[name])
    padded = copy.deepcopy(model)
    assert read_without_padding(model)
    ids, mask = (part.repeat(12, 1) for part in batch())
    ids = torch.randint(2, len(VOCABULARY), ids.shape) * mask  # rows that share nothing
    real = mask.long()
    with torch.no_grad():
        found, usual = (m(input_ids=ids, attention_mask=real)[0] for m in (model, padded))
    assert float((found - usual)[mask].abs().max()) < CLOSE * float(usual.abs().max())
    lengths = {len(layout(ids[:rows], mask[:rows], share=False).kept) for rows in range(60, 73)}
    assert {length % STEADY for length in lengths} == {0}


@pytest.mark.parametrize("name", [*BOTH_WAYS, *CAUSAL])
def test_threads_that_read_at_once_have_the_states_of_one_alone(name):
    model = made({**BOTH_WAYS, **CAUSAL}[name])
    ids, mask = batch()
    named = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad():
        usual = model(**named).last_hidden_state[mask]
    assert read_without_padding(model)

    def read(turn: int) -> float:
        # Every other one asks for what packing does not give, and is read with its padding.
        others = {"output_hidden_states": True} if turn % 2 else {}
        with torch.no_grad():
            found = model(**named, **others).last_hidden_state[mask]
        return float((found - usual).abs().max())

    with ThreadPoolExecutor(3) as threads:
        furthest = max(threads.map(read, range(60)))
    assert furthest < CLOSE * float(usual.abs().max())


def test_a_saved_model_names_no_attention_of_ours(tmp_path):
    model = made(CAUSAL["llama"], AutoModelForSequenceClassification)
    assert read_without_padding(model.base_model)
    model.save_pretrained(tmp_path)
    assert "humanalign" not in json.dumps(json.loads((tmp_path / "config.json").read_text()))


def test_a_model_told_to_attend_otherwise_reads_its_padding_again():
    model = made(BOTH_WAYS["bert"])
    ids, mask = batch()
    with torch.no_grad():
        usual = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert read_without_padding(model)
        model.set_attn_implementation("eager")
        found = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert torch.allclose(found[mask], usual[mask], atol=CLOSE)
