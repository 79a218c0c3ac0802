"""Supervised fine-tuning: the loss is on the response and its end, and is learned."""

import json

import pytest
import torch

from humanalign.align.sft import Demonstration, mean_nll, nll_loss, sft
from humanalign.errors import DataError
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.tiny import world

from . import bundled
from .tiny_policies import FAMILIES

CLOSE = 1e-4
LESSON = [(f"w{i} w{i + 1}", f"w{i + 1} good" + " fine" * (i % 2)) for i in range(12)]


@pytest.fixture(params=FAMILIES)
def policy(request, tmp_path) -> Policy:
    return FAMILIES[request.param](tmp_path / "start")


def test_answers_are_learned_word_for_word_and_end_with_eos(policy):
    sft(policy, LESSON, lr=5e-3, epochs=40, batch=12)
    prompts, wanted = zip(*LESSON, strict=True)
    answers = complete(policy, prompts, Sampling(temperature=0, max_new_tokens=12))
    assert [group[0].text for group in answers] == list(wanted)
    assert all(group[0].finished for group in answers)


def test_the_loss_is_the_likelihood_of_response_and_eos_alone(policy):
    row = Demonstration("w1 w2 w3", "w4 w5")
    words = policy.tokenizer
    answer = [*words("w4 w5", add_special_tokens=False).input_ids, words.eos_token_id]
    prompt = words("w1 w2 w3").input_ids
    with torch.no_grad():
        if policy.is_encoder_decoder:
            labels = torch.tensor([answer])
            mean = policy.hf(input_ids=torch.tensor([prompt]), labels=labels).loss
        else:
            # transformers leaves positions labelled -100 out of the loss.
            labels = torch.tensor([[-100] * len(prompt) + answer])
            mean = policy.hf(input_ids=torch.tensor([prompt + answer]), labels=labels).loss
    loss = nll_loss(policy, [row])
    assert loss.count == 3
    assert loss.total.item() == pytest.approx(3 * mean.item(), abs=CLOSE)


def test_the_mean_is_over_tokens_whatever_the_batches(policy):
    rows = [
        Demonstration("w1", "w2"),
        Demonstration("w3", "w4 w5 w6 w7 w8"),
        Demonstration("w9", "w1"),
    ]
    alone = [nll_loss(policy, [row]) for row in rows]
    expected = sum(loss.total.item() for loss in alone) / (2 + 6 + 2)
    assert mean_nll(policy, rows, batch_size=2) == pytest.approx(expected, abs=CLOSE)


def test_micro_batches_make_the_same_step(tmp_path):
    whole, pieces = (FAMILIES["t5"](tmp_path / name) for name in ("a", "b"))
    sft(whole, LESSON, lr=1e-3, epochs=2, batch=6)
    sft(pieces, LESSON, lr=1e-3, epochs=2, batch=6, micro_batch=1)
    for name, tensor in whole.model.state_dict().items():
        assert torch.allclose(tensor, pieces.model.state_dict()[name], atol=CLOSE), name


def test_a_run_holds_the_policy_the_metrics_and_the_loss_before_and_after(policy, tmp_path):
    run = Run.open(tmp_path / "run", stage="sft", config={})
    sft(policy, LESSON, run=run, lr=5e-3, epochs=2, batch=4)
    rows = [Demonstration(*row) for row in LESSON]
    summary = json.loads((run.path / "run.json").read_text())["summary"]
    assert (summary["steps"], summary["rows"]) == (6, 12)
    assert summary["loss_after"] == pytest.approx(mean_nll(policy, rows), abs=CLOSE)
    again = Policy.load(run.path, device="cpu")
    assert mean_nll(again, rows) == pytest.approx(summary["loss_after"], abs=CLOSE)
    assert [row["step"] for row in run.metrics()] == [1, 2, 3, 4, 5, 6]
    assert all("sft/loss" in row for row in run.metrics())


@pytest.mark.parametrize(
    ("rows", "said"), [([], "there are none"), ([("w1", "w2"), ("w3", " ")], "row 2 has an empty")]
)
def test_nothing_to_learn_is_refused(tmp_path, rows, said):
    with pytest.raises(DataError, match=said):
        sft(FAMILIES["t5"](tmp_path), rows)


@pytest.mark.slow
def test_clean_demonstrations_lower_the_gold_toxicity_of_the_bundled_model():
    policy = bundled.tiny_instruct()
    before = bundled.toxicities(policy)
    clean = [(p.text, p.reference) for p in world.prompts("train", 160)]
    sft(policy, clean, lr=1e-3, epochs=2, batch=16)
    assert bundled.change(before, bundled.toxicities(policy)).ci_high < 0
