"""The architecture's own head: what transformers loads from the folder gives the same scores."""

from pathlib import Path

import pytest
import tiny_models
import torch
from tiny_models import VOCABULARY
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from humanalign.errors import ConfigError, DataError
from humanalign.models import Lora
from humanalign.reward.fit import fit_reward
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.types import PreferencePair

PROMPTS = ["w1 w2 w3", "you are", "", "w8 w9 w1 w2 w3 w4"]
TEXTS = ["good", "rude w5 w6 w7 !", "w1 w1", "fine w2"]
SMALL = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 2, "intermediate_size": 64, "initializer_range": 0.3}
CLOSE = 1e-5


def save_roberta(path: Path) -> str:
    torch.manual_seed(4)
    config = RobertaConfig(**SMALL, max_position_embeddings=66, type_vocab_size=1, pad_token_id=0)
    RobertaModel(config).save_pretrained(path)
    frame = ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]")
    names = ["input_ids", "attention_mask"]
    tiny_models.tokenizer(*frame, pad_token="[PAD]", model_input_names=names).save_pretrained(path)
    return str(path)


def save_deberta(path: Path) -> str:
    torch.manual_seed(5)
    config = DebertaV2Config(
        **SMALL, max_position_embeddings=64, relative_attention=True, pos_att_type="p2c|c2p"
    )
    DebertaV2Model(config).save_pretrained(path)
    tiny_models.bert_tokenizer().save_pretrained(path)
    return str(path)


def save_llama(path: Path) -> str:
    torch.manual_seed(6)
    config = LlamaConfig(**SMALL, max_position_embeddings=64, num_key_value_heads=2)
    LlamaForCausalLM(config).save_pretrained(path)
    tiny_models.tokenizer("$A", "$A $B", eos_token="</s>").save_pretrained(path)
    return str(path)


MADE = {
    "bert": tiny_models.save_encoder,
    "roberta": save_roberta,
    "deberta": save_deberta,
    "gpt2": tiny_models.save_causal,
    "llama": save_llama,
    "t5": tiny_models.save_t5,
}


@pytest.fixture(scope="module")
def backbones(tmp_path_factory) -> dict[str, str]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in MADE.items()}


@pytest.fixture(params=MADE)
def native(request, backbones) -> LearnedReward:
    """Standardised, as a fit leaves it."""
    reward = LearnedReward.start(backbones[request.param], pooling="native", device="cpu")
    reward.standardise(PROMPTS, TEXTS)
    return reward


def by_transformers(folder: Path, batched: bool) -> torch.Tensor:
    """[rows], by nothing of ours: the folder's own model and tokenizer."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    words = AutoTokenizer.from_pretrained(folder)
    rows = (
        [(PROMPTS, TEXTS)] if batched else [([p], [t]) for p, t in zip(PROMPTS, TEXTS, strict=True)]
    )
    with torch.no_grad():
        found = [
            model(**words(p, t, return_tensors="pt", padding=True, padding_side="right")).logits
            for p, t in rows
        ]
    assert model.config.id2label == {0: "reward"}
    return torch.cat(found)[:, 0]


@pytest.mark.parametrize("batched", [False, True])
def test_transformers_gives_the_standardised_scores(native, tmp_path, batched):
    native.save(tmp_path)
    ours, theirs = torch.tensor(native.score(PROMPTS, TEXTS)), by_transformers(tmp_path, batched)
    # A causal architecture's head has no bias to take the mean: a constant stays.
    constant = 0.0 if native.head.linear.bias is not None else theirs.mean()
    torch.testing.assert_close(theirs - constant, ours, rtol=0, atol=5 * CLOSE)
    assert constant == 0.0 or native.backbone.causal


def test_what_is_saved_is_what_is_loaded(native, tmp_path):
    native.save(tmp_path)
    again = LearnedReward.load(tmp_path, device="cpu")
    assert again.backbone.pooling == "native"
    assert again.scale == native.scale
    assert again.score(PROMPTS, TEXTS) == pytest.approx(native.score(PROMPTS, TEXTS), abs=CLOSE)


def test_the_features_are_what_the_last_layer_reads(native):
    head = native.head.linear
    below = native.features(PROMPTS, TEXTS)
    by_hand = below @ head.weight[0] + (0.0 if head.bias is None else head.bias)
    raw = torch.tensor(native.raw_scores(PROMPTS, TEXTS))
    difference = native.scale.std * by_hand - raw
    torch.testing.assert_close(difference, difference.mean().expand(4), rtol=0, atol=5 * CLOSE)
    assert below.shape == (4, 32)


def test_padding_changes_nothing(native):
    alone = [native.score([p], [t])[0] for p, t in zip(PROMPTS, TEXTS, strict=True)]
    assert native.score(PROMPTS, TEXTS) == pytest.approx(alone, abs=5 * CLOSE)


def test_the_own_head_is_the_default_but_for_a_t5_encoder(backbones):
    pooling = {n: LearnedReward.start(path).backbone.pooling for n, path in backbones.items()}
    assert {name for name, kind in pooling.items() if kind == "mean"} == {"t5"}
    assert {pooling[name] for name in pooling if name != "t5"} == {"native"}


def test_a_trained_head_is_kept_and_one_of_other_labels_is_not(hate, native, tmp_path):
    native.save(tmp_path)
    again = LearnedReward.start(str(tmp_path), pooling="native")
    assert torch.equal(again.head.linear.weight, native.head.linear.weight)
    other = LearnedReward.start(hate)
    assert other.head.linear.weight.shape == (1, 32)
    assert other.new == {"head.linear.weight", "head.linear.bias"}


def test_new_layers_below_the_head_learn_whole_beside_adapters(backbones):
    pairs = [PreferencePair(f"w{i}", "good fine", "bad rude") for i in range(12)]
    start = LearnedReward.start(backbones["roberta"], seed=0)
    (dense,) = [name for name in start.new if name.endswith("dense.weight")]
    recipe = Recipe(lr=1e-2, epochs=1, lora=Lora(rank=2))
    fitted = fit_reward(backbones["roberta"], pairs, recipe=recipe, seed=0)
    moved = fitted.state_dict()[dense] - start.state_dict()[dense]
    assert torch.linalg.matrix_rank(moved, atol=1e-6) > 2
    query = "backbone.model.roberta.encoder.layer.0.attention.self.query.weight"
    moved = fitted.state_dict()[query] - start.state_dict()[query]
    assert torch.linalg.matrix_rank(moved, atol=1e-4) <= 2


def test_a_t5_row_without_the_same_number_of_ends_is_named(backbones):
    reward = LearnedReward.start(backbones["t5"], pooling="native")
    with pytest.raises(DataError, match="</s>"):
        reward.score(["w1", "w2"], ["w1 </s> w2", "w3"])


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ConfigError, match="pooling: expected one of native, mean, cls, last"):
        Recipe(pooling="max")  # type: ignore[arg-type]
