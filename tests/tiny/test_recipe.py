"""The recipe runs from nothing to a saved model and tokenizer."""

import json

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from humanalign.tiny import recipe, vocabulary


@pytest.fixture(scope="module")
def words():
    """The vocabulary, read from the world once more: it takes seconds."""
    return vocabulary.build()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    two = (recipe.Course(1), recipe.Course(1))
    recipe.train(recipe.Recipe(courses=two, batch=4, workers=1, width=32, exam_size=1, out=out))
    return out


@pytest.mark.slow
def test_two_steps_leave_half_precision_weights_a_tokenizer_and_a_log(trained, words):
    model = AutoModelForSeq2SeqLM.from_pretrained(trained)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    with safe_open(trained / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert model.config.d_model == 32
    assert tokenizer.get_vocab() == words.get_vocab()
    rows = [json.loads(line) for line in (trained / recipe.LOG).read_text().splitlines()]
    assert [(row["course"], row["step"], row["split"]) for row in rows] == [
        (1, 1, "validation"),
        (2, 1, "test"),
    ]


def test_the_rate_rises_stays_and_falls():
    assert recipe.rate(0, 1000, warmup=100) == pytest.approx(0.01)
    assert recipe.rate(300, 1000, warmup=100) == 1.0
    assert recipe.rate(800, 1000, warmup=100) == pytest.approx(0.5)
    assert recipe.rate(999, 1000, warmup=100) == pytest.approx(0.0025)


def test_batches_hold_the_asked_number_of_rows_of_like_length():
    drawn = recipe.batches(recipe.Recipe(batch=8))
    spread = [max(map(len, s)) - min(map(len, s)) for s in _sources(drawn, 16)]
    assert len(spread) == 16
    # Unsorted, the lengths of eight rows differ by some 400 characters.
    assert sorted(spread)[8] < 100


def _sources(drawn, n):
    for rows, _ in zip(drawn, range(n), strict=False):
        assert len(rows) == 8
        yield [row.source for row in rows]


def test_every_weight_is_moved_by_exactly_one_optimizer_of_one_worker(words):
    made = recipe.Recipe(width=32, workers=3)
    model = recipe.build(made, words)
    names = {id(weight): name for name, weight in model.named_parameters()}
    muon: list[int] = []
    for rank in range(3):
        first, second = recipe.optimizers(model, made, made.courses[0], rank)
        muon += [id(w) for group in first.param_groups for w in group["params"]]
        others = [id(w) for group in second.param_groups for w in group["params"]]
    assert sorted(muon + others) == sorted(names)
