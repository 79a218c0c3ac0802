"""The table of verbs: what each is for, the function that does it, and its settings.

Nothing is imported here but strings, so the command line can show its help at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Verb:
    """One line of the command table.

    `first` names a first word that is no key=value; `place` stands for it where it is left out. A
    name of two words is a second use of the verb that is its first.
    """

    summary: str
    function: str
    settings: str
    panel: str
    first: str = ""
    place: str = ""
    # Its first word is a name of more kinds than a path, and is handed on as it is written.
    verbatim: bool = False
    # Keys that may stand alone as --key, each with the value that it then has.
    alone: Mapping[str, str] = field(default_factory=dict)
    # A function of the result that gives the lines a person reads; else every number is listed.
    told: str = ""


LOOP, FEEDBACK, KEEP = "The loop", "Feedback without people", "Look, use, keep"
VERBS = {
    "demo": Verb("The whole loop on the bundled world, offline.", "tiny.demo:demo", "Demo", LOOP),
    "sft": Verb("Fine-tune on demonstrations.", "verbs.training:sft", "Sft", LOOP),
    "collect": Verb(
        "Sample completions into the feedback store.", "verbs.answering:collect", "Collect", LOOP
    ),
    "label": Verb("The app in which people rank answers.", "verbs.labelling:label", "Label", LOOP),
    "prefer": Verb(
        "Rankings -> labeler quality -> consensus -> pairs.", "verbs.judging:prefer", "Prefer", LOOP
    ),
    "reward": Verb(
        "Fit a reward model on pairs or labels.", "verbs.training:reward", "Reward", LOOP
    ),
    "align": Verb(
        "Align by PPO, RLOO, GRPO, DPO and kin, ILQL, best-of-n.",
        "verbs.training:align",
        "Align",
        LOOP,
    ),
    "evaluate": Verb(
        "Before/after on the same prompts, with intervals.",
        "verbs.evaluating:evaluate",
        "Evaluate",
        LOOP,
        alone={"history": "runs"},
        told="evaluate.told:lines",
    ),
    "redteam": Verb(
        "Adversarial prompts: attack success before and after.",
        "verbs.redteaming:redteam",
        "Redteam",
        LOOP,
        told="evaluate.redteam.told:lines",
    ),
    "report": Verb(
        "One self-contained HTML page for a run or a round.",
        "verbs.keeping:report",
        "Report",
        LOOP,
        "RUN",
    ),
    "watch": Verb(
        "The live page over a folder of runs: curves, samples, alerts.",
        "verbs.watching:watch",
        "Watch",
        LOOP,
        "RUNS",
        "runs",
    ),
    "loop": Verb("Rounds of all of the above.", "loop:loop", "Loop", LOOP),
    "judge": Verb(
        "A model ranks by a constitution, in both orders.",
        "verbs.judging:judge",
        "Judge",
        FEEDBACK,
    ),
    "revise": Verb(
        "Critique and revision -> demonstrations.", "verbs.judging:revise", "Revise", FEEDBACK
    ),
    "init": Verb("Start a project folder.", "verbs.keeping:init", "Init", KEEP, "DIR"),
    "chat": Verb(
        "Talk to a model; thumbs go to the store.",
        "verbs.talking:chat",
        "Chat",
        KEEP,
        "RUN",
        "tiny-instruct",
    ),
    "pairs": Verb(
        "Export, convert and take in judgements.", "verbs.labelling:pairs", "Pairs", KEEP
    ),
    "score": Verb(
        "Apply a reward model to pairs or answers.",
        "verbs.scoring:score",
        "Score",
        KEEP,
        "RUN",
        verbatim=True,
    ),
    "export": Verb(
        "A run's model in the Hugging Face format.", "verbs.exporting:export", "Export", KEEP, "RUN"
    ),
    "runs": Verb(
        "List runs, or trace one back to its parents.",
        "verbs.keeping:runs",
        "List",
        KEEP,
        "DIR",
        "runs",
    ),
    "runs verify": Verb(
        "Check that nothing in a feedback store was altered.",
        "verbs.labelling:verify",
        "Verify",
        KEEP,
        "STORE",
    ),
    "config": Verb(
        "Show or check a verb's settings.", "verbs.keeping:config", "Show", KEEP, "VERB"
    ),
}


def settings_of(verb: Verb) -> Any:
    """The settings class of a verb, imported now."""
    return getattr(importlib.import_module("humanalign.settings"), f"{verb.settings}Config")
