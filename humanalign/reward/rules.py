"""Rewards that are rules: text in, a number out, nothing learned.

Each rule is a plain function of (prompt, completion); its keyword-only arguments are the options
that a spec may set: `rule:length?target=60`. Register a rule by adding it to RULES.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from humanalign.errors import ConfigError, did_you_mean
from humanalign.reward.scoring import check_rows

WORD = re.compile(r"\w+(?:'\w+)*")


def words_of(text: str) -> list[str]:
    """The words of `text`, lower case, in order."""
    return WORD.findall(text.lower())


def length(prompt: str, completion: str, *, target: int = 50) -> float:
    """1 at `target` words, falling linearly to 0 at none and at twice as many."""
    del prompt
    return max(0.0, 1.0 - abs(len(words_of(completion)) - target) / target)


def no_repeat(prompt: str, completion: str, *, n: int = 3) -> float:
    """The share of word n-grams that are distinct: 1 = nothing is said twice."""
    del prompt
    words = words_of(completion)
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 1.0


def forbidden(prompt: str, completion: str, *, words: str) -> float:
    """Minus the number of words of the completion found in `words` (comma-separated)."""
    del prompt
    banned = set(words_of(words))
    return -float(sum(word in banned for word in words_of(completion)))


def required(prompt: str, completion: str, *, words: str) -> float:
    """The share of `words` (comma-separated) that the completion says."""
    del prompt
    wanted = set(words_of(words))
    return len(wanted & set(words_of(completion))) / len(wanted)


def on_topic(prompt: str, completion: str) -> float:
    """The share of the completion's distinct words of four letters or more found in the prompt."""
    said = {word for word in words_of(completion) if len(word) >= 4}
    return len(said & set(words_of(prompt))) / len(said) if said else 0.0


def finished(prompt: str, completion: str) -> float:
    """1 if the completion ends like a sentence, else 0."""
    del prompt
    return float(completion.rstrip().rstrip("\"')]").endswith((".", "!", "?", "…")))


RULES: dict[str, Callable[..., float]] = {
    "length": length,
    "no_repeat": no_repeat,
    "forbidden": forbidden,
    "required": required,
    "on_topic": on_topic,
    "finished": finished,
}


@dataclass(frozen=True)
class RuleReward:
    """A rule of RULES with its options set, as a RewardModel."""

    name: str
    options: Mapping[str, int | str]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row; see the rule's own docstring for its range."""
        check_rows(prompts, completions)
        rule = RULES[self.name]
        pairs = zip(prompts, completions, strict=True)
        return [float(rule(prompt, completion, **self.options)) for prompt, completion in pairs]


def rule_reward(name: str, options: Mapping[str, str]) -> RuleReward:
    """The rule called `name` (hyphens allowed), its options checked against its signature."""
    name = name.replace("-", "_")
    if name not in RULES:
        raise ConfigError(
            f"reward: unknown rule '{name}'; known: {', '.join(RULES)}{did_you_mean(name, RULES)}"
        )
    known = {
        key: parameter
        for key, parameter in inspect.signature(RULES[name]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in options:
        if key not in known:
            raise ConfigError(
                f"reward: rule '{name}' has no option '{key}'; "
                f"known: {', '.join(known) or 'none'}{did_you_mean(key, known)}"
            )
    for key, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and key not in options:
            raise ConfigError(f"reward: rule '{name}' needs {key}=...; give rule:{name}?{key}=...")
    typed = {key: _typed(name, known[key], value) for key, value in options.items()}
    return RuleReward(name, typed)


def _typed(name: str, parameter: inspect.Parameter, value: str) -> int | str:
    """`value` as the type of the option: a whole number of at least 1, or a list of words."""
    if isinstance(parameter.default, int):
        if not value.isdecimal() or int(value) < 1:
            raise ConfigError(
                f"reward: rule '{name}', {parameter.name}: expected a whole number of at least 1, "
                f"got '{value}'"
            )
        return int(value)
    if not words_of(value):
        raise ConfigError(f"reward: rule '{name}', {parameter.name}: names no word: '{value}'")
    return value
