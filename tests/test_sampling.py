"""Sampling: the right distribution, its own log-probabilities, and nothing behind one's back."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny_models
import torch
from scipy.stats import chisquare
from small_policies import EOS, PROMPTS

from humanalign.decoding import Sampling, warp
from humanalign.errors import RunError
from humanalign.models import Lora, Policy
from humanalign.sampling import complete, sample

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def next_token_distribution(policy: Policy, prompt: str) -> np.ndarray:
    """softmax [V] of the first answer token, by one plain forward of transformers."""
    ids = torch.tensor([policy.tokenizer(prompt).input_ids])
    if policy.is_encoder_decoder:
        logits = policy.hf(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits
    else:
        logits = policy.hf(input_ids=ids).logits
    z = logits[0, -1].double().numpy()
    p = np.exp(z - z.max())
    return p / p.sum()


def truncated(p: np.ndarray, top_k: int, top_p: float) -> np.ndarray:
    """Keep the k likeliest, then the fewest that reach top_p of what is left; renormalise."""
    kept = np.zeros_like(p)
    order = np.argsort(-p, kind="stable")[: top_k or len(p)]
    mass = p[order] / p[order].sum()
    for token, before in zip(order, np.concatenate([[0], np.cumsum(mass)[:-1]]), strict=True):
        if before < top_p:
            kept[token] = p[token]
    return kept / kept.sum()


@pytest.mark.parametrize("lora", [None, Lora(rank=2)], ids=["all weights", "lora"])
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new_tokens=10),
        Sampling(temperature=0.7, max_new_tokens=10),
        Sampling(temperature=1.5, max_new_tokens=6, ignore_eos=True),
        Sampling(top_k=5, top_p=0.9, max_new_tokens=10),
    ],
)
def test_the_sampler_and_the_trainer_agree_on_every_logprob(folder, sampling, lora):
    policy = Policy.load(folder, lora=lora)
    drawn = sample(policy, PROMPTS * 4, sampling, generator=seeded())
    with torch.no_grad():
        trained = policy.logprobs(drawn.tokens, sampling)
    assert torch.isfinite(drawn.logprobs).all()
    torch.testing.assert_close(drawn.logprobs, trained, **CLOSE)


def test_the_sampler_counts_absolute_positions_as_the_trainer_does(tmp_path):
    policy = Policy.load(tiny_models.save_causal(tmp_path))
    drawn = sample(policy, PROMPTS * 4, Sampling(max_new_tokens=10), generator=seeded())
    with torch.no_grad():
        torch.testing.assert_close(drawn.logprobs, policy.logprobs(drawn.tokens), **CLOSE)


def test_ignoring_eos_writes_every_token_and_never_eos(folder):
    policy = Policy.load(folder)
    sampling = Sampling(temperature=2.0, max_new_tokens=12, ignore_eos=True)
    drawn = sample(policy, PROMPTS * 8, sampling, generator=seeded())
    assert drawn.tokens.response_ids.shape == (24, 12)
    assert bool(drawn.tokens.response_mask.all())
    assert EOS not in drawn.tokens.response_ids
    assert drawn.finished == [False] * 24


def test_greedy_is_what_transformers_generates(folder):
    policy = Policy.load(folder)
    greedy = Sampling(temperature=0, max_new_tokens=12)
    drawn = sample(policy, PROMPTS, greedy, generator=seeded())
    for i, prompt in enumerate(PROMPTS):
        ids = torch.tensor([policy.tokenizer(prompt).input_ids])
        wanted = policy.hf.generate(ids, do_sample=False, max_new_tokens=12)[0].tolist()
        start = 1 if policy.is_encoder_decoder else ids.shape[1]
        assert (
            drawn.tokens.response_ids[i][drawn.tokens.response_mask[i]].tolist() == wanted[start:]
        )


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.5, 0, 1.0), (1.0, 6, 1.0), (1.0, 9, 0.8)]
)
def test_first_tokens_come_as_often_as_their_probability_says(folder, temperature, top_k, top_p):
    policy = Policy.load(folder)
    p = next_token_distribution(policy, PROMPTS[0]) ** (1 / temperature)
    p = truncated(p / p.sum(), top_k, top_p)
    n = 3000
    sampling = Sampling(temperature, top_k, top_p, max_new_tokens=1)
    drawn = sample(policy, PROMPTS[:1] * n, sampling, generator=seeded(3))
    counts = np.bincount(drawn.tokens.response_ids[:, 0].numpy(), minlength=len(p))
    assert counts[p == 0].sum() == 0
    often = p * n >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(p[often], p[~often].sum()) * n
    keep = expected > 0
    assert chisquare(observed[keep], expected[keep]).pvalue > 1e-3


@pytest.mark.parametrize("top_k", [0, 1, 3, 50])
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95, 1.0])
def test_truncation_keeps_what_a_plain_count_keeps(top_k, top_p):
    logits = torch.randn(20, 32, generator=seeded(), dtype=torch.float64).float() * 2
    p = warp(logits, Sampling(top_k=top_k, top_p=top_p), (EOS,)).softmax(-1).numpy()
    plain = logits.double().softmax(-1).numpy()
    wanted = np.stack([truncated(row, min(top_k, 32), top_p) for row in plain])
    np.testing.assert_allclose(p, wanted, atol=1e-6)


def test_temperature_and_the_ban_on_eos_are_applied_by_definition():
    logits = torch.tensor([[1.0, 9.0, 3.0]])
    p = warp(logits, Sampling(temperature=0.5, ignore_eos=True), (1,)).softmax(-1)
    a, b = np.exp(1 / 0.5), np.exp(3 / 0.5)
    np.testing.assert_allclose(p[0], [a / (a + b), 0, b / (a + b)], rtol=1e-6)


def test_a_generation_config_is_not_obeyed(folder, tmp_path):
    place = tmp_path / folder.name
    shutil.copytree(folder, place)
    silent = {"top_p": 0.01, "top_k": 1, "repetition_penalty": 9.0, "temperature": 0.01}
    silent |= {"do_sample": True, "min_new_tokens": 9, "no_repeat_ngram_size": 1}
    (place / "generation_config.json").write_text(json.dumps(silent))
    sampling = Sampling(max_new_tokens=12)
    plain = complete(Policy.load(folder), PROMPTS, sampling, samples=4)
    assert complete(Policy.load(place), PROMPTS, sampling, samples=4) == plain


def test_the_same_seed_says_the_same_and_another_seed_something_else(folder):
    policy = Policy.load(folder)
    sampling = Sampling(max_new_tokens=12)
    first = complete(policy, PROMPTS, sampling, seed=1, samples=3)
    assert complete(policy, PROMPTS, sampling, seed=1, samples=3) == first
    assert complete(policy, PROMPTS, sampling, seed=2, samples=3) != first
    assert [len(answers) for answers in first] == [3, 3, 3]


def test_answers_come_back_in_the_order_of_their_prompts(folder):
    policy = Policy.load(folder)
    greedy = Sampling(temperature=0, max_new_tokens=8)
    alone = [complete(policy, [p], greedy)[0][0] for p in PROMPTS]
    seen: list[tuple[int, int]] = []
    together = complete(
        policy, PROMPTS, greedy, batch_size=2, progress=lambda *done: seen.append(done)
    )
    assert [answers[0] for answers in together] == alone
    assert seen == [(2, 3), (3, 3)]


@torch.no_grad()
def test_an_answer_that_ends_at_once_is_one_token_long_and_empty(folder):
    policy = Policy.load(folder)

    def end(logits: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        rows = torch.arange(len(logits)) % 2 == 0
        forced = torch.full_like(logits, -1e4)
        forced[:, EOS] = 0.0
        return torch.where(rows[:, None], forced, logits)

    policy.logits_hook = end
    drawn = sample(policy, PROMPTS, Sampling(max_new_tokens=4), generator=seeded(1))
    lengths = drawn.tokens.response_mask.sum(1).tolist()
    assert (drawn.texts[0], lengths[0], drawn.finished[0]) == ("", 1, True)
    assert (drawn.texts[2], lengths[2], drawn.finished[2]) == ("", 1, True)
    assert lengths[1] > 1
    assert torch.isfinite(policy.logprobs(drawn.tokens)).all()


@torch.no_grad()
def test_a_batch_of_nothing_but_immediate_ends_can_be_measured(folder):
    policy = Policy.load(folder)

    def end(logits: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        forced = torch.full_like(logits, -1e4)
        forced[:, EOS] = 0.0
        return forced

    policy.logits_hook = end
    drawn = sample(policy, PROMPTS, Sampling(max_new_tokens=4), generator=seeded())
    assert drawn.tokens.response_ids.tolist() == [[EOS]] * 3
    assert policy.logprobs(drawn.tokens).shape == (3, 1)


def test_logits_that_are_not_finite_are_a_sentence(llama):
    policy = Policy.load(llama)
    with torch.no_grad():
        policy.hf.get_output_embeddings().weight.fill_(torch.nan)
    with pytest.raises(RunError, match="logits are not finite"):
        sample(policy, ["w1"], Sampling(max_new_tokens=2), generator=torch.Generator())
