"""log p(answer | prompt): against transformers alone, one pair at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_policies import PROMPTS, RESPONSES
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.honesty.likelihood import answer_logprobs
from humanalign.models import Policy

CLOSE = 1e-4


def by_hand(folder: Path, prompt: str, answer: str) -> float:
    """Token by token in a loop; no batch, no padding, no Policy."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    head = tokenizer(prompt).input_ids
    tail = tokenizer(answer, add_special_tokens=False).input_ids
    total = 0.0
    if "T5" in (folder / "config.json").read_text():
        model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
        for t, token in enumerate(tail):
            before = [model.config.decoder_start_token_id, *tail[:t]]
            ids = {"input_ids": torch.tensor([head]), "decoder_input_ids": torch.tensor([before])}
            total += float(model(**ids).logits[0, -1].log_softmax(-1)[token])
        return total
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for t, token in enumerate(tail):
        logits = model(torch.tensor([[*head, *tail[:t]]])).logits
        total += float(logits[0, -1].log_softmax(-1)[token])
    return total


@torch.no_grad()
def test_a_batch_gives_what_one_pair_at_a_time_gives(folder: Path):
    sums, tokens = answer_logprobs(Policy.load(folder), PROMPTS, RESPONSES)
    expected = [by_hand(folder, p, a) for p, a in zip(PROMPTS, RESPONSES, strict=True)]
    assert sums == pytest.approx(expected, abs=CLOSE)
    assert tokens.tolist() == [2, 4, 1]  # the words; no end token


def test_a_long_neighbour_does_not_change_a_pair(folder: Path):
    policy = Policy.load(folder)
    alone, _ = answer_logprobs(policy, ["w1 w2"], ["w3"])
    longer, _ = answer_logprobs(policy, ["w9 " * 20, "w1 w2"], ["w8 " * 15, "w3"])
    assert longer[1] == pytest.approx(alone[0], abs=CLOSE)


def test_an_empty_answer_has_no_tokens_and_probability_one(folder: Path):
    sums, tokens = answer_logprobs(Policy.load(folder), ["w1", "w1"], ["", "w2"])
    assert (sums[0], tokens[0]) == (0.0, 0)
    assert sums[1] < 0


def test_the_probabilities_of_all_next_words_sum_to_one(llama: Path):
    policy = Policy.load(llama)
    words = [w for w in policy.tokenizer.get_vocab() if w.startswith("w")]
    special = 0.0
    ids = torch.tensor([policy.tokenizer("w4").input_ids])
    with torch.no_grad():
        special = float(policy.hf(ids).logits[0, -1].softmax(-1)[:4].sum())
    sums, _ = answer_logprobs(policy, ["w4"] * len(words), words)
    assert np.exp(sums).sum() + special == pytest.approx(1.0, abs=CLOSE)


def byte_level() -> Policy:
    """A random model whose tokenizer writes the space in front of a word into its token."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(["A: red A: red cow"] * 9, vocab_size=280, special_tokens=["</s>"])
    words = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="</s>")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=300, num_hidden_layers=1, eos_token_id=0, **sizes)
    return Policy(LlamaForCausalLM(config), words, "bytes")


@torch.no_grad()
def test_a_joined_answer_has_the_tokens_that_it_has_in_the_whole_text():
    policy = byte_level()
    head = policy.tokenizer("A:").input_ids
    ids = policy.tokenizer("A: red").input_ids
    logits = policy.hf(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = sum(float(logits[t - 1, ids[t]]) for t in range(len(head), len(ids)))
    sums, tokens = answer_logprobs(policy, ["A:"], [" red"], joined=True)
    assert sums[0] == pytest.approx(expected, abs=CLOSE)
    assert tokens[0] == len(ids) - len(head)


def test_where_a_token_spans_the_border_both_are_read_apart():
    # "A: r" + "ed" is "A", ":", " red" in one text: the prompt's last token is not there.
    policy = byte_level()
    joined, _ = answer_logprobs(policy, ["A: r"], ["ed"], joined=True)
    apart, _ = answer_logprobs(policy, ["A: r"], ["ed"])
    assert joined[0] == apart[0]


def test_a_pair_longer_than_the_context_is_named(llama: Path):
    with pytest.raises(DataError, match="longer than the 64"):
        answer_logprobs(Policy.load(llama), ["w1 " * 60], ["w2 " * 10])


def test_a_model_that_decodes_through_a_hook_is_refused(llama: Path):
    policy = Policy.load(llama)
    policy.logits_hook = lambda logits, _: logits
    with pytest.raises(ConfigError, match="hook"):
        answer_logprobs(policy, ["w1"], ["w2"])
