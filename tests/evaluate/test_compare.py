"""evaluate(): two tiny random models on the same prompts, scored by rules that can be checked."""

import json
import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from humanalign.errors import ConfigError, DataError, RunError
from humanalign.evaluate import kept
from humanalign.evaluate.compare import evaluate
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Answer, Sampling
from humanalign.types import EvalResult, Prompt

WORDS = ["<pad>", "</s>", "<unk>", *"abcdefghijklm"]
PROMPTS = [Prompt(f"{a} {b}", reference="a b c") for a in "abcdef" for b in "abcdefgh"]
SHORT = Sampling(max_new_tokens=5)
# Weights large enough that two seeds disagree, small enough that every word is still said.
SCALE = {"llama": 3.0, "t5": 0.5}


def tokenizer():
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def policy(kind, seed):
    torch.manual_seed(seed)
    size = {"vocab_size": len(WORDS), "eos_token_id": 1, "pad_token_id": 0}
    if kind == "t5":
        shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
        model = T5ForConditionalGeneration(T5Config(**size, **shape, decoder_start_token_id=0))
    else:
        shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
        model = LlamaForCausalLM(
            LlamaConfig(**size, **shape, num_attention_heads=2, max_position_embeddings=64)
        )
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(SCALE[kind] if weight.dim() > 1 else 1.0)
    return Policy(model, tokenizer(), f"{kind}-{seed}")


class Says:
    """Scores the share of the answer's words that are `word`."""

    def __init__(self, word):
        self.word = word

    def score(self, prompts, completions):
        assert len(prompts) == len(completions)
        split = [text.split() for text in completions]
        return [words.count(self.word) / max(1, len(words)) for words in split]


SCORERS = {"toxicity": Says("c"), "says b": Says("b")}


def by_hand(after, before, rows):
    """Mean log-ratio of the sampled rows from plain softmaxes, one row at a time, unpadded."""
    ratios = []
    for row in rows:
        ids = [WORDS.index(w) for w in row["after"].split()]
        ids += [1] if row["finished_after"] else []
        ratio = surprise(before, row["prompt"], ids) - surprise(after, row["prompt"], ids)
        ratios.append(ratio)
    return np.mean(ratios)


def surprise(policy, prompt, ids):
    """Minus the log-probability of the ids after the prompt."""
    read = policy.tokenizer(prompt).input_ids
    with torch.no_grad():
        if policy.is_encoder_decoder:
            said = torch.tensor([[0, *ids]])
            logits = policy.model(torch.tensor([read]), decoder_input_ids=said).logits[0]
        else:
            logits = policy.model(torch.tensor([read + ids])).logits[0, len(read) - 1 :]
    return -sum(math.log(logits[t].softmax(-1)[token]) for t, token in enumerate(ids))


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_every_number_is_that_of_the_samples(kind):
    after, before = policy(kind, 1), policy(kind, 2)
    found = evaluate(after, against=before, prompts=PROMPTS, scorers=SCORERS, sampling=SHORT)
    told = found.summary()
    rows = found.samples
    assert len(rows) == len(PROMPTS) == told["toxicity"]["before"]["n"]
    tox = {
        side: np.mean([Says("c").score([""], [r[side]])[0] for r in rows])
        for side in ("before", "after")
    }
    assert told["toxicity"]["before"]["value"] == pytest.approx(tox["before"])
    assert told["toxicity"]["difference"]["value"] == pytest.approx(tox["after"] - tox["before"])
    assert told["toxicity"]["relative_reduction"]["value"] == pytest.approx(
        1 - tox["after"] / tox["before"]
    )
    assert told["length"]["after"]["value"] == pytest.approx(
        np.mean([len(r["after"].split()) for r in rows])
    )
    assert told["quality"]["rougeL"]["after"]["value"] == pytest.approx(
        np.mean([r["rougeL_after"] for r in rows])
    )
    calmer = [np.sign(r["toxicity_before"] - r["toxicity_after"]) for r in rows]
    assert told["toxicity"]["win_rate"]["value"] == pytest.approx((1 + np.mean(calmer)) / 2)
    wins = [np.sign(r["says b_after"] - r["says b_before"]) for r in rows]
    assert told["scorers"]["says b"]["win_rate"]["value"] == pytest.approx((1 + np.mean(wins)) / 2)
    assert told["kl"]["mean"]["value"] == pytest.approx(by_hand(after, before, rows), abs=1e-4)
    tokens = [len(r["after"].split()) + r["finished_after"] for r in rows]
    assert told["kl"]["per_token"]["value"] == pytest.approx(
        by_hand(after, before, rows) / np.mean(tokens), abs=1e-4
    )
    for side in ("before", "after"):
        nats = [
            surprise(before, r["prompt"], [WORDS.index(w) for w in r[side].split()]) for r in rows
        ]
        count = sum(len(r[side].split()) for r in rows)
        assert told["perplexity"][side]["value"] == pytest.approx(
            math.exp(sum(nats) / count), rel=1e-4
        )


def test_a_model_against_itself_shows_no_difference():
    same = policy("llama", 1)
    found = evaluate(same, against=same, prompts=PROMPTS, scorers=SCORERS, sampling=SHORT)
    assert {c.verdict for c in found.comparisons} == {"no difference shown"}
    assert found.summary()["kl"]["mean"]["value"] == 0.0
    assert found.summary()["toxicity"]["win_rate"]["value"] == 0.5
    assert "improved" not in str(found)


def test_less_toxicity_is_an_improvement_and_less_reward_is_not():
    calm, rude = policy("llama", 1), policy("llama", 1)
    calm.logits_hook = lambda logits, _: logits.index_fill(-1, torch.tensor([5]), -torch.inf)
    rude.logits_hook = lambda logits, _: logits.index_add(
        -1, torch.tensor([5]), torch.full((len(logits), 1), 4.0)
    )
    scorers = {"toxicity": Says("c"), "says c": Says("c")}
    found = evaluate(calm, against=rude, prompts=PROMPTS, scorers=scorers, sampling=SHORT)
    told = found.summary()
    assert told["toxicity"]["verdict"] == "improved"
    assert told["scorers"]["says c"]["verdict"] == "worse"


def test_a_scorer_can_be_declared_better_when_lower():
    model = policy("llama", 1)
    rude = policy("llama", 1)
    rude.logits_hook = lambda logits, _: logits.index_add(
        -1, torch.tensor([5]), torch.full((len(logits), 1), 4.0)
    )
    found = evaluate(
        model,
        against=rude,
        prompts=PROMPTS,
        scorers={"hate": Says("c"), "liked": Says("c")},
        lower=["hate"],
        margins={"hate": 0.01, "liked": 0.01},
        sampling=SHORT,
    ).summary()
    hate, liked = found["scorers"]["hate"], found["scorers"]["liked"]
    assert (hate["verdict"], liked["verdict"]) == ("improved", "worse")
    assert hate["win_rate"]["value"] == pytest.approx(1 - liked["win_rate"]["value"])
    assert hate["relative_reduction"]["value"] > 0
    shown = {row["metric"]: row["shown"] for row in found["non_inferiority"]}
    assert (shown["hate"], shown["liked"]) == (True, False)
    assert found["perplexity"]["reason"].startswith("llama-1 decodes through a hook")


def test_what_the_summary_holds_for_those_who_read_it():
    first, second = policy("llama", 1), policy("llama", 2)
    asked = {"prompts": PROMPTS, "scorers": SCORERS, "sampling": SHORT, "seed": 3}
    found = evaluate(first, against=second, judge=lambda p, *_: [(0.9, 0.8)] * len(p), **asked)
    told = found.summary()
    by = {name: each["by"] for name, each in told["win_rate"].items()}
    assert by == {"toxicity": "scorer", "says b": "scorer", "judge": "judge"}
    judged = told["win_rate"]["judge"]
    assert (judged["losses"], judged["flips"]["value"]) == (0, 0.0)
    assert judged["ties"] == sum(row["before"] == row["after"] for row in found.samples)
    assert [row["metric"] for row in told["non_inferiority"]] == [
        *("rouge1", "rouge2", "rougeL", "distinct2", "length", "perplexity")
    ]
    assert told["power"]["looks"] == len(found.comparisons)
    names = {c.metric for c in found.comparisons} - {"perplexity"}
    still = {n for n in names if all(r[f"{n}_before"] == r[f"{n}_after"] for r in found.samples)}
    assert set(told["power"]["smallest"]) == {c.metric for c in found.comparisons} - still
    again = evaluate(second, **asked | {"seed": 4}).summary()
    assert again["comparable"] == told["comparable"]


def test_support_marks_what_the_prompt_does_not_say():
    model = policy("llama", 1)
    prompts = [Prompt(f"{a} {b}") for a in "abc" for b in "defg"]
    found = evaluate(model, prompts=prompts, scorers={}, sampling=SHORT, support=True)
    told = found.summary()["honesty"]["support"]
    assert set(told) == {"supported", "names", "numbers", "claims"}
    clean = [not row["unsupported_after"] for row in found.samples]
    assert told["supported"]["after"]["value"] == pytest.approx(np.mean(clean))


def test_greedy_answers_still_give_the_kl_of_sampled_ones():
    after, before = policy("llama", 1), policy("llama", 2)
    options = {"against": before, "prompts": PROMPTS, "scorers": {}}
    greedy = evaluate(after, sampling=Sampling(temperature=0.0, max_new_tokens=5), **options)
    sampled = evaluate(after, sampling=SHORT, **options)
    assert greedy.results["kl"] == sampled.results["kl"]


def test_models_with_different_tokens_have_no_kl():
    after, before = policy("llama", 1), policy("llama", 2)
    before.tokenizer.add_tokens(["new"])
    found = evaluate(after, against=before, prompts=PROMPTS, scorers={}, sampling=SHORT)
    assert found.summary()["kl"]["mean"]["reason"] == "the two models have different tokens"


def test_a_policy_alone_has_one_column_and_no_verdict():
    found = evaluate(policy("llama", 1), prompts=PROMPTS, scorers=SCORERS, sampling=SHORT)
    assert set(found.table()[0]) == {"metric", "value"}
    assert "before" not in json.dumps(found.summary())
    assert found.samples[0].keys() >= {"prompt", "after", "toxicity_after"}


def test_answers_that_were_complete_are_not_asked_for_again(tmp_path, monkeypatch):
    run = Run.open(tmp_path / "evaluate", stage="evaluate", config={"seed": 0})
    first, second = policy("llama", 1), policy("llama", 2)
    asked = {"prompts": PROMPTS, "scorers": {}, "sampling": SHORT, "keep": run}
    whole = evaluate(first, against=second, **asked)
    monkeypatch.setattr(kept, "complete", None)  # whoever samples now fails
    assert evaluate(first, against=second, **asked).summary() == whole.summary()
    with torch.no_grad():
        next(first.model.parameters())[0, 0] += 1.0
    with pytest.raises(TypeError, match="not callable"):  # other weights, other answers
        evaluate(first, against=second, **asked)


def test_kept_rows_are_in_the_record_of_the_run_that_takes_them(tmp_path):
    for _ in range(2):
        run = Run.open(tmp_path / "evaluate", stage="evaluate", config={})
        assert kept.kept(run, "answers", "same", lambda: [{"a": 1}]) == [{"a": 1}]
        record = json.loads((run.path / "run.json").read_text())
        assert list(record["data"]) == ["answers.jsonl"]
        (run.path / "run.json").unlink()  # as a mistake does
        (run.path / "config.yaml").unlink()


def two_rows_exchanged(model):
    weights = model.hf.get_input_embeddings().weight
    weights.data[[3, 4]] = weights.data[[4, 3]]


def another_end_token(model):
    model.hf.generation_config.eos_token_id = 5


def another_word(model):
    model.tokenizer.add_tokens(["new"])


@pytest.mark.parametrize("change", [two_rows_exchanged, another_end_token, another_word])
def test_another_model_has_another_id(change):
    model = policy("llama", 1)
    known = kept.model_id(model)
    change(model)
    assert kept.model_id(model) != known


def test_the_id_of_a_model_does_not_depend_on_what_was_asked_of_it():
    model = policy("llama", 1)
    known = kept.model_id(model)
    model.tokenizer(["a b c", "a"], padding=True, truncation=True, max_length=2)
    evaluate(model, prompts=PROMPTS[:2], scorers={}, sampling=SHORT)
    assert kept.model_id(model) == known == kept.model_id(policy("llama", 1))


def test_nothing_without_bounds_is_not_worse_by_a_change_of_five_prompts(monkeypatch):
    first, second = policy("llama", 1), policy("llama", 2)

    def says(model, prompts, *_, **__):
        longer = 5 if model is first else 0
        return [[Answer("a b c" + " d" * (i < longer), True)] for i in range(len(prompts))]

    monkeypatch.setattr(kept, "complete", says)
    found = evaluate(first, against=second, prompts=PROMPTS, scorers={}, sampling=SHORT)
    rows = {row["metric"]: row for row in found.summary()["non_inferiority"]}
    for name in ("length", "perplexity"):
        assert rows[name]["obstacle"] == "under 10 prompts changed"
    assert rows["rougeL"]["obstacle"] == ""


def test_prompts_said_twice_count_once():
    found = evaluate(
        policy("llama", 1), prompts=PROMPTS + PROMPTS[:9], scorers=SCORERS, sampling=SHORT
    )
    assert found.n == len(PROMPTS)
    assert found.summary()["repeated_prompts_left_out"] == 9


def test_several_samples_keep_n_the_number_of_prompts():
    found = evaluate(
        policy("llama", 1), prompts=PROMPTS, scorers=SCORERS, sampling=SHORT, samples=3
    )
    result = found.results["toxicity"]["after"]
    assert isinstance(result, EvalResult)
    assert (result.n, len(found.samples)) == (len(PROMPTS), 3 * len(PROMPTS))


def test_rouge_is_over_the_prompts_that_have_a_reference():
    some = [*PROMPTS[:10], *(Prompt(f"{c} m") for c in "abcd")]
    found = evaluate(policy("llama", 1), prompts=some, scorers={}, sampling=SHORT)
    assert found.summary()["quality"]["rougeL"]["after"]["n"] == 10
    assert [row["rougeL_after"] for row in found.samples[10:]] == [None] * 4
    assert None not in [row["rougeL_after"] for row in found.samples[:10]]


def test_progress_runs_once_from_nothing_to_all_over_both_models():
    seen = []
    model = policy("llama", 1)
    evaluate(
        model,
        against=model,
        prompts=PROMPTS,
        scorers={},
        sampling=SHORT,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 0
    # Perplexity and KL, after the answers of both, are on the bar too.
    assert {done * 4 // total for done, total in seen} == {1, 2, 3, 4}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_run_holds_the_summary_and_the_samples(tmp_path):
    run = Run.open(tmp_path / "evaluate", stage="evaluate", config={"seed": 0})
    model = policy("llama", 1)
    found = evaluate(
        model, against=model, prompts=PROMPTS, scorers=SCORERS, sampling=SHORT, run=run
    )
    record = json.loads((tmp_path / "evaluate/run.json").read_text())
    assert record["status"] == "finished"
    assert record["summary"] == found.summary()
    lines = (tmp_path / "evaluate/samples.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(found.samples)
    with pytest.raises(RunError, match="is finished"):
        evaluate(model, prompts=PROMPTS, scorers={}, run=run)


def test_what_cannot_be_measured_is_refused_in_a_sentence():
    model = policy("llama", 1)
    with pytest.raises(DataError, match="at least 2 different ones, got 1"):
        evaluate(model, prompts=PROMPTS[:1] * 5, scorers={})
    with pytest.raises(ConfigError, match="'length' is a built-in measure"):
        evaluate(model, prompts=PROMPTS, scorers={"length": Says("a")})
    with pytest.raises(ConfigError, match="no scorer 'hte'; scorers: hate; did you mean 'hate'"):
        evaluate(model, prompts=PROMPTS, scorers={"hate": Says("a")}, lower=["hte"])
    with pytest.raises(ConfigError, match=r"'rogueL' is not measured here.*did you mean 'rougeL'"):
        evaluate(model, against=model, prompts=PROMPTS, scorers={}, margins={"rogueL": 0.1})
    with pytest.raises(ConfigError, match="a loss needs a model before"):
        evaluate(model, prompts=PROMPTS, scorers={}, margins={"rougeL": 0.1})
    with pytest.raises(ConfigError, match="samples: expected 1 or more"):
        evaluate(model, prompts=PROMPTS, scorers={}, samples=0)
