"""ILQL: values of tokens from logged answers, and decoding that follows them."""

import json

import pytest
import torch

from humanalign.align import ilql as ilql_room
from humanalign.align.ilql import (
    Scored,
    ilql,
    load_steered,
    scored_loss,
    standardised,
    steering_hook,
)
from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.quality import rouge
from humanalign.heads import IlqlHeads
from humanalign.models import Policy
from humanalign.objectives.registry import check
from humanalign.run import Run
from humanalign.sampling import Sampling, complete, sample
from humanalign.tiny import gold, world

from . import bundled
from .tiny_policies import FAMILIES

CLOSE = 1e-4
# The same prompts answered well and badly equally often: imitation cannot tell them apart.
LOGGED = [
    row for i in range(16) for row in ((f"w{i}", f"w{i} good", 1.0), (f"w{i}", f"w{i} rude", 0.0))
]
PARAMS = check("ilql", "ilql", {})


@pytest.fixture(params=FAMILIES)
def policy(request, tmp_path) -> Policy:
    return FAMILIES[request.param](tmp_path / "start")


def share_good(policy: Policy) -> float:
    prompts = [f"w{i}" for i in range(16)] * 4
    answers = complete(policy, prompts, Sampling(max_new_tokens=6), seed=3)
    texts = [group[0].text for group in answers]
    good = sum("good" in text for text in texts)
    return good / max(1, good + sum("rude" in text for text in texts))


def test_steered_decoding_prefers_what_was_rewarded_and_imitation_alone_does_not(policy):
    ilql(policy, LOGGED, lr=5e-3, epochs=40, batch=16, alpha=0.1, steering=4.0)
    steered = share_good(policy)
    policy.logits_hook = None
    assert 0.25 < share_good(policy) < 0.75
    assert steered > 0.9


def test_zero_heads_leave_the_first_sampling_alone(policy):
    sampling = Sampling(max_new_tokens=6)
    plain = sample(policy, ["w1", "w2 w3"], sampling, generator=torch.Generator().manual_seed(1))
    heads = IlqlHeads(policy.hidden_size, policy.hf.config.vocab_size)
    policy.logits_hook = steering_hook(heads, 5.0)
    again = sample(policy, ["w1", "w2 w3"], sampling, generator=torch.Generator().manual_seed(1))
    assert again.texts == plain.texts


def test_the_first_loss_is_imitation_and_the_score_at_the_last_token(policy):
    # With Q = V = 0: q is 2 score^2 on the last token, v 0, cql 2 log V a token.
    rows = [Scored("w1", "w2 w3", 1.5), Scored("w4 w5", "w6", -0.5)]
    heads = IlqlHeads(policy.hidden_size, policy.hf.config.vocab_size)
    loss = scored_loss(policy, heads, rows, PARAMS)
    tokens = policy.encode(["w1", "w4 w5"], ["w2 w3", "w6"])
    with torch.no_grad():
        imitation = -policy.logprobs(tokens).sum().item()
    count = 3 + 2
    vocabulary = torch.tensor(float(policy.hf.config.vocab_size)).log().item()
    expected = 2 * (1.5**2 + 0.5**2) + 0.1 * 2 * vocabulary * count + imitation
    assert loss.count == count
    assert loss.total.item() == pytest.approx(expected, rel=1e-4)


def test_every_token_learns_the_return_of_its_answer_unless_lambda_says_otherwise(
    tmp_path, monkeypatch
):
    given = []
    trained = ilql_room.scored_loss
    monkeypatch.setattr(
        ilql_room, "scored_loss", lambda *args: given.append(args[3]["lam"]) or trained(*args)
    )
    policy = FAMILIES["t5"](tmp_path)
    ilql(policy, LOGGED, batch=32)
    ilql(policy, LOGGED, batch=32, objective={"lam": 0.25})
    assert given == [1.0, 0.25]


def test_scores_are_standardised_over_the_data():
    rows = standardised([Scored("p", "a", 3.0), Scored("p", "b", 5.0)])
    assert [row.score for row in rows] == [-1.0, 1.0]


def test_a_run_holds_the_heads_and_loads_as_it_was_steered(policy, tmp_path):
    run = Run.open(tmp_path / "run", stage="align", config={})
    ilql(policy, LOGGED, run=run, lr=5e-3, epochs=2, batch=16, steering=2.0, max_new_tokens=6)
    summary = json.loads((run.path / "run.json").read_text())["summary"]
    assert (summary["steps"], summary["method"]) == (4, "ilql")
    assert all("align/q_loss" in row for row in run.metrics())
    again = load_steered(run.path, device="cpu")
    sampling = Sampling(temperature=0, max_new_tokens=6)
    assert complete(again, ["w1", "w2"], sampling) == complete(policy, ["w1", "w2"], sampling)
    tokens = policy.encode(["w1", "w2"], ["w3", "w4"])
    logits, hidden = policy.forward(tokens)
    assert torch.allclose(
        again.logits_hook(logits[:, 0], hidden[:, 0]),
        policy.logits_hook(logits[:, 0], hidden[:, 0]),
        atol=CLOSE,
    )


def test_the_strength_of_steering_can_be_chosen_when_loading(tmp_path):
    run = Run.open(tmp_path / "run", stage="align", config={})
    policy = FAMILIES["t5"](tmp_path / "start")
    ilql(policy, LOGGED, run=run, lr=5e-3, epochs=1, batch=16, max_new_tokens=6)
    unsteered = load_steered(run.path, beta=0.0, device="cpu")
    logits = torch.randn(2, policy.hf.config.vocab_size)
    assert torch.equal(unsteered.logits_hook(logits, torch.randn(2, policy.hidden_size)), logits)


def test_target_heads_follow_by_alpha_a_step(tmp_path):
    policy = FAMILIES["t5"](tmp_path)
    heads = IlqlHeads(policy.hidden_size, policy.hf.config.vocab_size)
    with torch.no_grad():
        heads.q1[-1].bias.fill_(1.0)
    heads.polyak(0.25)
    heads.polyak(0.25)
    # 1 - (1 - 0.25)^2
    assert heads.target_q1[-1].bias.tolist() == pytest.approx([0.4375] * len(heads.q1[-1].bias))


@pytest.mark.parametrize(
    ("data", "options", "error", "said"),
    [
        ([], {}, DataError, "there are none"),
        ([("p", "a", 1.0), ("p", "b", 1.0)], {}, DataError, "all 2 score 1.0"),
        (LOGGED, {"objective": {"taw": 0.5}}, ConfigError, "did you mean 'tau'"),
    ],
)
def test_what_ilql_cannot_learn_from_is_refused(tmp_path, data, options, error, said):
    with pytest.raises(error, match=said):
        ilql(FAMILIES["t5"](tmp_path), data, **options)


def test_a_run_without_heads_is_not_steered(tmp_path):
    FAMILIES["t5"](tmp_path / "start")
    with pytest.raises(DataError, match=r"ilql\.json is missing"):
        load_steered(tmp_path / "start")


@pytest.mark.slow
def test_steering_the_bundled_model_lowers_its_toxicity_and_keeps_its_summaries():
    policy = bundled.tiny_instruct()
    ilql(policy, bundled.logged(), epochs=3, alpha=0.05, steering=1.0)
    steered, alike = gold_toxicity_and_rouge(policy)
    policy.logits_hook = None
    before, alike_before = gold_toxicity_and_rouge(policy)
    assert bundled.change(before, steered).ci_high < 0
    assert alike > alike_before - 0.05


def gold_toxicity_and_rouge(policy: Policy) -> tuple[list[float], float]:
    """Gold toxicity of two answers to each of 120 unseen prompts, and their mean ROUGE-L."""
    asked = world.prompts("test", 120)
    groups = complete(policy, [p.text for p in asked], bundled.SAMPLING, seed=2, samples=2)
    texts = [answer.text for group in groups for answer in group]
    scores = rouge(texts, [p.reference for p in asked for _ in range(2)])["rougeL"]
    return [gold.toxicity(text) for text in texts], sum(scores) / len(scores)
