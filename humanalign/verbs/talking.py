"""The verb chat: talk to a model in the terminal; thumbs go into the feedback store."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

import click

from humanalign.align.methods import load_policy
from humanalign.prefer.store import FeedbackStore
from humanalign.sampling import complete
from humanalign.settings import ChatConfig
from humanalign.types import Completion, FinishReason, Prompt, Rater, Sampler
from humanalign.verbs.inputs import Progress, sampling_of

HELP = "Type a message; + or - after an answer is a thumb, r another answer, q leaves."


def chat(config: ChatConfig, place: Path, progress: Progress = None) -> Mapping:
    """Answer messages until q or end of input; every thumb is stored at once."""
    del progress
    name = config.model or str(place)
    talk = Talk(name, FeedbackStore(config.store), config)
    click.echo(f"{name}. {HELP}", err=True)
    while True:
        try:
            line = click.prompt("you", prompt_suffix="> ", default="", show_default=False, err=True)
        except (EOFError, click.Abort):
            break
        if line.strip() == "q":
            break
        if line.strip():
            click.echo(talk.hear(line.strip()))
    return {"model": name, "answers": talk.answers, "thumbs": talk.thumbs, "store": config.store}


class Talk:
    """One conversation at the terminal: the last answer is the one a thumb speaks of."""

    def __init__(self, name: str, store: FeedbackStore, config: ChatConfig) -> None:
        self.name, self.policy = name, load_policy(name)
        self.store, self.config = store, config
        self.answers = self.thumbs = 0
        self._last: tuple[Prompt, Completion] | None = None

    def hear(self, line: str) -> str:
        """What to show after `line`: an answer, or what became of a thumb."""
        if line in ("+", "-"):
            return self._thumb(line == "+")
        if line == "r" and self._last:
            return self._answer(self._last[0])
        text = self.config.template.replace("{message}", line.replace("\\n", "\n"))
        return self._answer(Prompt(text, source="chat"))

    def _answer(self, prompt: Prompt) -> str:
        seed = self.config.seed + self.answers
        sampling = sampling_of(self.config)
        [[answer]] = complete(self.policy, [self.policy.render(prompt)], sampling, seed=seed)
        sampler = Sampler(self.name, "", sampling.temperature, seed)
        reason: FinishReason = "stop" if answer.finished else "length"
        self._last = prompt, Completion(prompt.id, answer.text, sampler, reason)
        self.answers += 1
        return answer.text

    def _thumb(self, up: bool) -> str:
        if self._last is None:
            return "Nothing to judge yet; say something first."
        prompt, completion = self._last
        rater = Rater(self.config.rater)
        self.store.thumb(prompt, completion, rater, up, key=uuid.uuid4().hex)
        self.thumbs += 1
        return f"Thumb {'up' if up else 'down'} kept."
