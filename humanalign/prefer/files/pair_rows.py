"""Training rows of an answer: TRL's preference and unpaired layouts, transcripts, rich pairs.

Pairs lose ties (unless they are soft) and F marks (unless they lose); the rich pairs say whose
they are. https://huggingface.co/docs/trl/dataset_formats names the layouts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from humanalign.conversations import as_messages, as_transcript, is_transcript
from humanalign.prefer.files.judgements import Record
from humanalign.prefer.pairs import ordered
from humanalign.types import Completion, Prompt

PAIR = {"weight": "number", "margin": "number", "rater": "text", "prompt_id": "text"}
PAIR |= {"source": "text"}
TEXTS = {"prompt": "text", "chosen": "text", "rejected": "text"}
MESSAGES = dict.fromkeys(TEXTS, "messages")
ALONE = {"weight": "number", "rater": "text", "prompt_id": "text", "source": "text"}
RICH = {
    **TEXTS,
    **PAIR,
    "group": "text",
    "criterion": "text",
    "instructions": "text",
    "chosen_id": "text",
    "rejected_id": "text",
    "chosen_model": "text",
    "rejected_model": "text",
    "seconds": "number",
    "revision": "count",
}


@dataclass(frozen=True)
class Choices:
    """What becomes of ties and F marks in pairs; see `pairs.pairs_of`."""

    ties: str = "drop"
    rejects: str = "drop"


@dataclass(frozen=True)
class Pair:
    """Two completions that a record orders."""

    record: Record
    chosen: Completion
    rejected: Completion
    weight: float

    def facts(self) -> dict:
        """Whose pair it is and what it weighs."""
        return {
            "weight": self.weight,
            "margin": self.record.margins.get((self.chosen.id, self.rejected.id), 0.0),
            "rater": self.record.judgement.rater_id,
            "prompt_id": self.record.prompt.id,
            "source": self.record.source,
        }


def pairs_in(record: Record, choices: Choices) -> Iterator[Pair]:
    """The pairs of one answer; two answers of the same words make none."""
    by_id = {each.id: each for each in record.completions}
    for better, worse, weight in ordered(record.ranking(), choices.ties, choices.rejects):
        chosen, rejected = by_id[better], by_id[worse]
        if chosen.text != rejected.text:
            yield Pair(record, chosen, rejected, weight)


def preference(pair: Pair) -> dict:
    """prompt, chosen, rejected as text."""
    texts = (pair.record.prompt.text, pair.chosen.text, pair.rejected.text)
    return {**dict(zip(TEXTS, texts, strict=True)), **pair.facts()}


def preference_implicit(pair: Pair) -> dict:
    """chosen, rejected as text that begins with the prompt."""
    prompt = pair.record.prompt.text
    # A prompt that does not end in white space would grow into the answer's first word.
    answers = (pair.chosen.text, pair.rejected.text)
    gap = "" if prompt[-1:].isspace() or any(a[:1].isspace() for a in answers) else " "
    chosen, rejected = (prompt + gap + answer for answer in answers)
    return {"chosen": chosen, "rejected": rejected, **pair.facts()}


def conversation(pair: Pair) -> dict:
    """prompt, chosen, rejected as lists of messages."""
    return {
        "prompt": messages_of_prompt(pair.record.prompt),
        "chosen": [_said(pair.chosen)],
        "rejected": [_said(pair.rejected)],
        **pair.facts(),
    }


def conversation_implicit(pair: Pair) -> dict:
    """chosen, rejected as whole conversations."""
    opening = messages_of_prompt(pair.record.prompt)
    chosen, rejected = [*opening, _said(pair.chosen)], [*opening, _said(pair.rejected)]
    return {"chosen": chosen, "rejected": rejected, **pair.facts()}


def hh(pair: Pair) -> dict:
    """chosen, rejected as transcripts (Bai et al. 2022, arXiv:2204.05862)."""
    prompt = pair.record.prompt
    if is_transcript(prompt.text):
        opening, gap = prompt.text, ""
    else:
        opening, gap = as_transcript(prompt.messages or [("user", prompt.text)]), " "
    return {
        "chosen": opening + gap + pair.chosen.text,
        "rejected": opening + gap + pair.rejected.text,
    }


def rich_pair(pair: Pair) -> dict:
    """The pair with everything known of it."""
    record = pair.record
    return {
        **preference(pair),
        "group": record.question.id,
        "criterion": record.question.criterion,
        "instructions": record.judgement.instructions,
        "chosen_id": pair.chosen.id,
        "rejected_id": pair.rejected.id,
        "chosen_model": pair.chosen.sampler.model,
        "rejected_model": pair.rejected.sampler.model,
        "seconds": record.judgement.seconds,
        "revision": record.judgement.revision,
    }


def unpaired(record: Record, choices: Choices) -> Iterator[dict]:
    """prompt, completion, label as text."""
    for completion, label, facts in _labelled(record, choices):
        yield {"prompt": record.prompt.text, "completion": completion.text, "label": label, **facts}


def unpaired_conversation(record: Record, choices: Choices) -> Iterator[dict]:
    """prompt, completion as lists of messages, and a label."""
    opening = messages_of_prompt(record.prompt)
    for completion, label, facts in _labelled(record, choices):
        yield {"prompt": opening, "completion": [_said(completion)], "label": label, **facts}


def _labelled(record: Record, choices: Choices) -> Iterator[tuple[Completion, bool, dict]]:
    """Thumbs are labels, ratings above and below the middle too; a pair gives one of each."""
    kind, marks = record.question.kind, record.judgement.marks
    if kind in ("ranking", "pairwise"):
        for pair in pairs_in(record, choices):
            facts = {name: pair.facts()[name] for name in ALONE}
            yield pair.chosen, True, facts
            yield pair.rejected, False, facts
        return
    facts = {"weight": 1.0, "rater": record.judgement.rater_id}
    facts |= {"prompt_id": record.prompt.id, "source": record.source}
    middle = (1 + record.scale) / 2
    for completion in record.completions:
        mark = marks[completion.id]
        if kind == "thumb":
            yield completion, mark == "up", facts
        elif mark != middle:
            yield completion, float(mark) > middle, facts


def messages_of_prompt(prompt: Prompt) -> list[dict[str, str]]:
    """The prompt's conversation; a plain text is one message of the user."""
    if prompt.messages:
        return [{"role": role, "content": content} for role, content in prompt.messages]
    return as_messages(prompt.text)


def _said(completion: Completion) -> dict[str, str]:
    return {"role": "assistant", "content": completion.text.strip()}
