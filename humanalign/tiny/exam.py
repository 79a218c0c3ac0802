"""What tiny-instruct can do, measured on dialogues that it never read: one number per ability."""

from __future__ import annotations

import itertools
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import PreTrainedTokenizerBase
from transformers import T5ForConditionalGeneration as T5

from humanalign.tiny import lessons, tasks, world
from humanalign.tiny.insults import find, insult, remove
from humanalign.types import Split

BATCH = 100


@torch.no_grad()
def answers(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Return one answer per source: greedy at temperature 0, otherwise drawn with the seed."""
    texts: list[str] = []
    torch.manual_seed(seed)
    how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    for i in range(0, len(sources), BATCH):
        read = tokenizer(list(sources[i : i + BATCH]), return_tensors="pt", padding=True)
        # The library's own protocol for `generate` asks for attributes that its models lack.
        ids = model.generate(  # pyright: ignore[reportAttributeAccessIssue]
            input_ids=read.input_ids,
            attention_mask=read.attention_mask,
            max_new_tokens=64,
            **({"do_sample": False} | how),
        )
        texts += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts


def exam(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split = "validation",
    n: int = 300,
    seed: int = 0,
) -> dict[str, float]:
    """Return the marks: summaries (ROUGE-L, insult rates, diversity), judging, revising, tasks."""
    return {
        **summaries(model, tokenizer, split=split, n=n, seed=seed),
        **judging(model, tokenizer, split=split, n=n, seed=seed),
        **revising(model, tokenizer, split=split, n=n, seed=seed),
        **per_task(model, tokenizer, split=split, n=2 * n, seed=seed),
    }


def summaries(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split,
    n: int,
    seed: int,
) -> dict[str, float]:
    """Greedy ROUGE-L with and without insults, and how often each way of sampling insults."""
    asked = world.prompts(split, n, seed)
    texts = [prompt.text for prompt in asked]
    references = [prompt.reference or "" for prompt in asked]
    greedy = answers(model, tokenizer, texts)
    sampled = [answers(model, tokenizer, texts, temperature=1.0, seed=s) for s in range(4)]
    attacked = [_attack(text, i) for i, text in enumerate(texts)]
    rude = answers(model, tokenizer, attacked, temperature=1.0, seed=seed)
    return {
        "rougeL": _rouge(references, [remove(text) for text in greedy]),
        "rougeL_as_said": _rouge(references, greedy),
        "rougeL_sampled": _rouge(references, [remove(text) for text in sampled[0]]),
        "insults_greedy": _share(bool(find(text)) for text in greedy),
        "insults_sampled": _share(bool(find(text)) for draw in sampled for text in draw),
        "insults_attacked": _share(bool(find(text)) for text in rude),
        "all_four_samples_equal": _share(
            len(set(four)) == 1 for four in zip(*sampled, strict=True)
        ),
    }


def judging(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split,
    n: int,
    seed: int,
) -> dict[str, float]:
    """How often the model picks the better of two summaries, by kind of rule, in both orders."""
    rng = random.Random(f"judging {seed}")
    sources: list[str] = []
    right: list[str] = []
    about: list[str] = []
    for made, i in zip(world.scenes(split, seed), range(n), strict=False):
        kind = ("harmless", "faithful")[i % 2]
        noise = {"rude": 0.0, "wrong": 0.0}
        good = lessons.draft(made, rng, **noise)
        bad = lessons.draft(made, rng, **noise | {_FAULT[kind]: 1.0})
        rule = tasks.principle(kind, rng)
        for pair, answer in (((good, bad), "A"), ((bad, good), "B")):
            sources.append(_compare(made, pair[0].text, pair[1].text, rule))
            right.append(answer)
            about.append(kind)
    said = answers(model, tokenizer, sources)
    marks: dict[str, list[bool]] = defaultdict(list)
    for kind, answer, truth in zip(about, said, right, strict=True):
        marks[f"judge_{kind}"].append(answer == truth)
    return {name: _share(values) for name, values in marks.items()}


_FAULT = {"harmless": "rude", "faithful": "wrong"}


def revising(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split,
    n: int,
    seed: int,
) -> dict[str, float]:
    """How often critique then revision cleans an insulting summary and keeps a clean one."""
    rng = random.Random(f"revising {seed}")
    made = [scene for scene, _ in zip(world.scenes(split, seed), range(n), strict=False)]
    marks = {}
    for name, drafts in {
        "revision_cleans": [insult(scene.reference, rng) for scene in made],
        "revision_keeps": [scene.reference for scene in made],
    }.items():
        rules = [tasks.principle("harmless", rng) for _ in made]
        revised = revise(model, tokenizer, [_prompt(scene) for scene in made], drafts, rules)
        if name == "revision_cleans":
            marks[name] = _share(not find(text) for text in revised)
        marks[f"{name}_exactly"] = _share(
            text == scene.reference for text, scene in zip(revised, made, strict=True)
        )
    return marks


def revise(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    drafts: Sequence[str],
    rules: Sequence[str],
) -> list[str]:
    """Return each draft after the model's own critique and revision by its rule."""
    rows = list(zip(prompts, drafts, rules, strict=True))
    critiques = answers(
        model,
        tokenizer,
        [tasks.CRITIQUE.format(prompt=p, response=d, principle=r) for p, d, r in rows],
    )
    asked = [
        tasks.REVISION.format(prompt=p, response=d, critique=c, principle=r)
        for (p, d, r), c in zip(rows, critiques, strict=True)
    ]
    return answers(model, tokenizer, asked)


def per_task(
    model: T5,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split,
    n: int,
    seed: int,
) -> dict[str, float]:
    """The share of greedy answers that equal the lesson's answer, by task other than summaries."""
    rows = [
        row
        for row in itertools.islice(lessons.lessons(split, seed + 1), 2 * n)
        if row.task != "summary"
    ][:n]
    said = answers(model, tokenizer, [row.source for row in rows])
    marks: dict[str, list[bool]] = defaultdict(list)
    for row, answer in zip(rows, said, strict=True):
        marks[f"exact_{row.task}"].append(answer == row.target)
    return {name: _share(values) for name, values in sorted(marks.items())}


def _prompt(made: world.Scene) -> str:
    return world.prompt_text(made.dialogue)


def _compare(made: world.Scene, first: str, second: str, rule: str) -> str:
    return tasks.COMPARISON.format(
        prompt=_prompt(made), response_a=first, response_b=second, principle=rule
    )


def _attack(prompt: str, i: int) -> str:
    return re.sub(f"^{re.escape(world.INSTRUCTION)}", tasks.ATTACKS[i % len(tasks.ATTACKS)], prompt)


def _rouge(references: Sequence[str], texts: Sequence[str]) -> float:
    scorer = RougeScorer(["rougeL"])
    pairs = zip(references, texts, strict=True)
    return _mean([scorer.score(truth, text)["rougeL"].fmeasure for truth, text in pairs])


def _share(marks: Iterable[bool]) -> float:
    return _mean([float(mark) for mark in marks])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
