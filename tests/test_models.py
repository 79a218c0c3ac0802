"""The policy: what it reads, what it predicts, its reference, and how it is saved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny_models
import torch
from small_policies import (
    BOS,
    CONTEXT,
    EOS,
    PROMPTS,
    RESPONSES,
    VOCABULARY,
    save_llama,
    tokenizer,
    train_adapter,
)
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from humanalign.errors import DataError, RunError
from humanalign.models import Lora, Policy
from humanalign.objectives.batch import Tokens
from humanalign.run import Run
from humanalign.types import Prompt

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
LORA = Lora(rank=2)


def ids_of(text: str) -> list[int]:
    return [VOCABULARY[word] for word in text.split()]


def plain_logits(folder: Path, prompt: str, response: str) -> Tensor:
    """[T, V] by transformers alone, one row, no padding: what predicts response and its EOS."""
    answer = [*ids_of(response), EOS]
    if "t5" in folder.name:
        model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
        shifted = torch.tensor([[0, *answer[:-1]]])
        source = torch.tensor([[*ids_of(prompt), EOS]])
        return model(input_ids=source, decoder_input_ids=shifted).logits[0]
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = [BOS, *ids_of(prompt), *answer]
    return model(torch.tensor([ids])).logits[0, -len(answer) - 1 : -1]


@torch.no_grad()
def test_logits_are_those_of_transformers_without_padding(folder):
    policy = Policy.load(folder)
    tokens = policy.encode(PROMPTS, RESPONSES)
    logits, hidden = policy.forward(tokens)
    assert hidden.shape == (*tokens.response_ids.shape, policy.hidden_size)
    for i, (prompt, response) in enumerate(zip(PROMPTS, RESPONSES, strict=True)):
        mask = tokens.response_mask[i]
        torch.testing.assert_close(logits[i][mask], plain_logits(folder, prompt, response), **CLOSE)


@torch.no_grad()
def test_logprobs_are_the_log_softmax_at_each_token_and_0_beyond(folder):
    policy = Policy.load(folder)
    measured = policy.logprobs(policy.encode(PROMPTS, RESPONSES))
    for row, prompt, response in zip(measured, PROMPTS, RESPONSES, strict=True):
        logp = plain_logits(folder, prompt, response).log_softmax(-1)
        answer = [*ids_of(response), EOS]
        wanted = torch.tensor([float(logp[t, token]) for t, token in enumerate(answer)])
        torch.testing.assert_close(row[: len(answer)], wanted, **CLOSE)
        assert torch.equal(row[len(answer) :], torch.zeros(len(row) - len(answer)))


def wider(tokens: Tokens, left: int, right: int) -> Tokens:
    """The same rows with more padding, and random ids where nothing may look."""
    rows = len(tokens)
    noise = torch.Generator().manual_seed(0)
    before = torch.randint(0, 30, (rows, left), generator=noise)
    after = torch.randint(0, 30, (rows, right), generator=noise)
    ids, answers = tokens.prompt_ids.clone(), tokens.response_ids.clone()
    ids[~tokens.prompt_mask] = 7
    answers[~tokens.response_mask] = 9
    return Tokens(
        torch.cat([before, ids], 1),
        torch.cat([torch.zeros_like(before, dtype=torch.bool), tokens.prompt_mask], 1),
        torch.cat([answers, after], 1),
        torch.cat([tokens.response_mask, torch.zeros_like(after, dtype=torch.bool)], 1),
    )


@pytest.mark.parametrize(("left", "right"), [(0, 0), (5, 0), (0, 4), (3, 2)])
@torch.no_grad()
def test_padding_changes_nothing_whatever_its_side_amount_and_content(folder, left, right):
    policy = Policy.load(folder)
    tokens = policy.encode(PROMPTS, RESPONSES)
    width = tokens.response_ids.shape[1]
    padded = policy.logprobs(wider(tokens, left, right))
    torch.testing.assert_close(padded[:, :width], policy.logprobs(tokens), **CLOSE)
    assert torch.equal(padded[:, width:], torch.zeros(len(tokens), right))


@torch.no_grad()
def test_absolute_positions_count_from_the_first_real_token(tmp_path):
    # A rotary model cannot tell: only differences of positions reach it. GPT-2 can.
    policy = Policy.load(tiny_models.save_causal(tmp_path))
    tokens = policy.encode(PROMPTS, RESPONSES)
    alone = [policy.encode([p], [r]) for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    together = policy.logprobs(tokens)
    for row, mask, one in zip(together, tokens.response_mask, alone, strict=True):
        torch.testing.assert_close(row[mask], policy.logprobs(one)[0], **CLOSE)


@torch.no_grad()
def test_eos_is_kept_where_it_also_pads(tmp_path):
    save_llama(tmp_path)
    tokenizer("<s> $A", bos_token="<s>").save_pretrained(tmp_path)
    policy = Policy.load(tmp_path)
    assert policy.tokenizer.pad_token_id == EOS
    tokens = policy.encode(PROMPTS, RESPONSES)
    assert tokens.response_mask.sum(1).tolist() == [3, 5, 2]
    assert tokens.prompt_mask.sum(1).tolist() == [4, 2, 6]
    last = policy.logprobs(tokens)[0, 2]
    wanted = plain_logits(tmp_path, PROMPTS[0], RESPONSES[0]).log_softmax(-1)[2, EOS]
    torch.testing.assert_close(last, wanted, **CLOSE)


def gap(policy: Policy) -> float:
    """Largest difference in nats between policy and reference."""
    with torch.no_grad():
        tokens = policy.encode(PROMPTS, RESPONSES)
        own = policy.logprobs(tokens)
        with policy.reference():
            return float((own - policy.logprobs(tokens)).abs().max())


@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "lora"])
def test_the_reference_is_exactly_the_policy_before_training(folder, lora):
    policy = Policy.load(folder, lora=lora)
    policy.freeze_reference()
    assert gap(policy) == 0.0


def test_the_reference_of_a_trained_adapter_is_that_adapter_and_not_none(folder, tmp_path):
    train_adapter(Policy.load(folder, lora=LORA)).save(tmp_path)
    policy = Policy.load(tmp_path)
    policy.freeze_reference()
    assert gap(policy) == 0.0
    with torch.no_grad(), policy.adapter.disable_adapter():
        bare = policy.logprobs(policy.encode(PROMPTS, RESPONSES))
    with torch.no_grad():
        trained = policy.logprobs(policy.encode(PROMPTS, RESPONSES))
    # What another library takes for the reference is far away from where training starts.
    assert float((bare - trained).abs().max()) > 0.1


@pytest.mark.parametrize("start", ["all weights", "fresh adapter", "trained adapter"])
def test_the_reference_stays_while_the_policy_learns(folder, start):
    policy = Policy.load(folder, lora=None if start == "all weights" else LORA)
    if start == "trained adapter":
        train_adapter(policy)
    policy.freeze_reference()
    tokens = policy.encode(PROMPTS, RESPONSES)
    with torch.no_grad():
        began = policy.logprobs(tokens)
    optimizer = torch.optim.Adam(policy.trainable().values(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        (-policy.logprobs(tokens).sum()).backward()
        optimizer.step()
    with torch.no_grad():
        assert policy.logprobs(tokens).sum() > began.sum() + 1
        with policy.reference():
            assert torch.equal(policy.logprobs(tokens), began)
    assert all(p.requires_grad for p in policy.trainable().values())
    assert len(policy.trainable()) == len(optimizer.param_groups[0]["params"])


def test_a_reference_must_be_frozen_first(llama):
    with pytest.raises(RuntimeError, match="freeze_reference"), Policy.load(llama).reference():
        pass


@torch.no_grad()
@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "lora"])
@pytest.mark.parametrize("as_run", [False, True], ids=["directory", "run"])
def test_what_was_saved_is_what_is_loaded(folder, lora, as_run, tmp_path):
    policy = train_adapter(Policy.load(folder, lora=lora))
    tokens = policy.encode(PROMPTS, RESPONSES)
    place = tmp_path / "made"
    if as_run:
        run = Run.open(place, stage="sft", config={})
        policy.save(place / "policy")
        run.finish({})
    else:
        policy.save(place)
    again = Policy.load(place)
    assert torch.equal(again.logprobs(tokens), policy.logprobs(tokens))
    assert again.has_adapter == (lora is not None)
    assert again.trainable().keys() == policy.trainable().keys()


@torch.no_grad()
def test_a_merged_export_says_what_the_adapter_said(folder, tmp_path):
    policy = train_adapter(Policy.load(folder, lora=LORA))
    tokens = policy.encode(PROMPTS, RESPONSES)
    policy.save_merged(tmp_path)
    merged = Policy.load(tmp_path)
    assert not merged.has_adapter
    torch.testing.assert_close(merged.logprobs(tokens), policy.logprobs(tokens), **CLOSE)


@torch.no_grad()
def test_a_frozen_reference_is_not_saved(folder, tmp_path):
    policy = train_adapter(Policy.load(folder, lora=LORA))
    policy.freeze_reference()
    policy.save(tmp_path)
    assert not any("reference" in p.name for p in tmp_path.rglob("*"))
    again = Policy.load(tmp_path)
    tokens = policy.encode(PROMPTS, RESPONSES)
    assert torch.equal(again.logprobs(tokens), policy.logprobs(tokens))


def test_an_unfinished_run_is_no_model(llama, tmp_path):
    Run.open(tmp_path / "r", stage="sft", config={})
    Policy.load(llama).save(tmp_path / "r" / "policy")
    with pytest.raises(RunError, match="not finished"):
        Policy.load(tmp_path / "r")


def test_dropout_is_off_whatever_the_config_says(folder):
    policy = Policy.load(folder, lora=Lora(rank=2, dropout=0.5))
    train_adapter(policy)
    tokens = policy.encode(PROMPTS, RESPONSES)
    first, second = policy.logprobs(tokens), policy.logprobs(tokens)
    assert torch.equal(first, second)
    first.sum().backward()
    assert torch.equal(policy.logprobs(tokens), first)


def test_the_same_seed_starts_the_same_adapter(llama):
    def start(seed: int) -> Tensor:
        params = Policy.load(llama, lora=LORA, seed=seed).trainable()
        return torch.cat([p.detach().flatten() for n, p in params.items() if "lora_A" in n])

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_a_chat_template_that_writes_bos_does_not_double_it(llama):
    policy = Policy.load(llama)
    prompt = Prompt("w1", messages=(("w2", "w3 w4"),))
    text = policy.render(prompt)
    assert text.startswith("<s>")
    ids = policy.encode([text]).prompt_ids[0].tolist()
    assert ids == [BOS, *ids_of("w2 w3 w4 w0")]
    assert policy.encode([policy.render(Prompt("w1"))]).prompt_ids[0].tolist() == [
        BOS,
        VOCABULARY["w1"],
    ]


def test_a_conversation_without_a_chat_template_is_its_text(small_t5):
    prompt = Prompt("w3 w4", messages=(("user", "w3 w4"),))
    assert Policy.load(small_t5).render(prompt) == "w3 w4"


def test_a_prompt_that_does_not_fit_is_refused_with_its_length(folder):
    policy = Policy.load(folder)
    fits = " ".join(["w1"] * (CONTEXT - 9))  # a causal answer of 8 tokens and BOS, or EOS for T5
    policy.encode(["w2", fits], max_new_tokens=8)
    long = " ".join(["w1"] * CONTEXT)
    assert (policy.fits(fits, 8), policy.fits(long, 8)) == (True, False)
    with pytest.raises(DataError, match=rf"a prompt of {CONTEXT + 1} tokens"):
        policy.encode(["w2", long], max_new_tokens=8)


def test_only_causal_answers_take_room_from_the_prompt(llama, small_t5):
    text = " ".join(["w1"] * (CONTEXT - 1))
    assert not Policy.load(llama).fits(text, 8)
    assert Policy.load(small_t5).fits(text, 8)


def test_a_directory_without_a_tokenizer_is_refused(llama, tmp_path):
    shutil.copy(llama / "config.json", tmp_path)
    shutil.copy(llama / "model.safetensors", tmp_path)
    with pytest.raises(DataError, match="without a tokenizer"):
        Policy.load(tmp_path)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b""])
def test_weights_that_are_no_weights_are_refused_in_one_line(llama, content, tmp_path):
    place = tmp_path / "copy"
    shutil.copytree(llama, place)
    (place / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="cannot load the model") as caught:
        Policy.load(place)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    save_llama(tmp_path, vocab_size=16)
    with pytest.raises(DataError, match=r"32 tokens, the model only 16"):
        Policy.load(tmp_path)
