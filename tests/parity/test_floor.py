"""The floor of docs/benchmarks.md: its counts against the models themselves."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from bench import floor, shapes

RATES = floor.Rates(flops=1e9, bandwidth=1e9)
NARROW = ("shared", "wte", "wpe", "embed", "relative_attention_bias", "lm_head")
BATCH = {"rows": 2, "prompt": 3, "response": 4, "epochs": 1, "lora": 0}


@pytest.fixture(scope="module", params=["gpt2-13.9m", "t5-9.4m"])
def model(request) -> PreTrainedModel:
    return shapes._random_model(shapes.SHAPES[request.param])


@pytest.fixture(scope="module")
def counted(model, tmp_path_factory) -> floor.Sizes:
    place = tmp_path_factory.mktemp("floor")
    model.config.save_pretrained(place / "policy")
    return floor.sizes(place)


def matrices(model: PreTrainedModel, part: str = "") -> int:
    """How many weights of matrices that multiply every token."""
    return sum(
        p.numel()
        for name, p in model.named_parameters()
        if p.dim() == 2 and name.startswith(part) and not any(word in name for word in NARROW)
    )


def test_the_floor_counts_every_matrix_of_the_model_once(model, counted):
    assert counted.encoder == matrices(model, "encoder")
    assert counted.encoder + counted.decoder == matrices(model)


def test_the_floor_counts_the_vocabulary_head(model, counted):
    assert counted.head == model.get_output_embeddings().weight.numel()


def test_the_floor_counts_what_a_position_adds_to_the_cache(model, counted):
    ids = torch.ones((1, 1), dtype=torch.long)
    more = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    cache = model(input_ids=ids, use_cache=True, **more).past_key_values
    own = getattr(cache, "self_attention_cache", cache)
    assert counted.cache == sum(x.keys.numel() + x.values.numel() for x in own.layers)


def test_learning_costs_three_forward_passes_and_two_with_adapters(counted):
    whole = floor.floor(counted, RATES, BATCH).update
    adapters = floor.floor(counted, RATES, BATCH | {"lora": 8}).update
    assert adapters == pytest.approx(whole * 2 / 3)


def test_a_decoding_step_takes_the_slower_of_reading_and_computing(counted):
    endless = floor.Rates(flops=1e30, bandwidth=1e9)
    reading = floor.floor(counted, endless, BATCH).rollout
    weights = counted.decoder + counted.head
    positions = 2 * (3 + 4 + 5 + 6)  # rows x what each of the four steps looks back on
    assert reading == pytest.approx(4 * (4 * weights + positions * counted.cache) / 1e9)
