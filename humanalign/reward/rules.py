"""Rewards that are rules: text in, a number out, nothing learned.

Each rule is a plain function of (prompt, completion); its keyword-only arguments are the options
that a spec may set: `rule:length?target=60`. Register a rule by adding it to RULES.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from humanalign.errors import ConfigError, did_you_mean
from humanalign.reward.scoring import check_rows
from humanalign.rows import columns, read_rows
from humanalign.types import content_id

Terms = tuple[str, ...]
WORD = re.compile(r"\w+(?:'\w+)*")
# What may stand around a word that is spelled with signs: "@$$", said the rule.
AROUND = "\"'`.,;:!?()[]{}<>…“”‘’"


def words_of(text: str) -> list[str]:
    """The words of `text`, lower case, in order."""
    return WORD.findall(text.lower())


def length(prompt: str, completion: str, *, target: int = 50) -> float:
    """1 at `target` words, falling linearly to 0 at none and at twice as many."""
    del prompt
    return max(0.0, 1.0 - abs(len(words_of(completion)) - target) / target)


def no_repeat(prompt: str, completion: str, *, n: int = 3) -> float:
    """The share of word n-grams that are distinct, above 0 to 1: 1 = nothing is said twice."""
    del prompt
    words = words_of(completion)
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 1.0


def forbidden(
    prompt: str,
    completion: str,
    *,
    words: str | Terms = "",
    file: str = "",
    column: str = "text",
) -> float:
    """Minus the number of forbidden words and phrases in the completion: 0 is clean.

    They are in `words` (comma-separated), or one a row in `column` of `file`, or one a line of a
    .txt. Case does not count; a phrase is found as words in a row.
    """
    del prompt
    banned = _banned(_listed(words, file, column))
    said = {False: words_of(completion), True: _signed_words(completion)}
    return -float(sum(_count(said[signed], terms) for signed, terms in banned.items()))


def required(prompt: str, completion: str, *, words: str) -> float:
    """The share of `words` (comma-separated) that the completion says: 0 to 1."""
    del prompt
    wanted = set(words_of(words))
    if not wanted:
        raise ConfigError(f"reward: rule 'required', words: names no word: '{words}'")
    return len(wanted & set(words_of(completion))) / len(wanted)


def matches(prompt: str, completion: str, *, pattern: str) -> float:
    """1 if the regular expression `pattern` is found in the completion, else 0.

    `^` and `$` stand for the ends of the whole completion and `.` for any character, line ends
    included. A pattern with nested repeats can take very long on a long answer.
    """
    del prompt
    return float(_pattern(pattern).search(completion) is not None)


def is_json(prompt: str, completion: str, *, keys: str = "") -> float:
    """1 if the completion is JSON, else 0; with `keys` (comma-separated) an object that has them.

    Strict JSON: NaN and Infinity, which Python would read, are none.
    """
    del prompt
    try:
        found = json.loads(completion, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return 0.0
    wanted = {key.strip() for key in keys.split(",")} - {""}
    return float(not wanted or (isinstance(found, dict) and wanted <= found.keys()))


def on_topic(prompt: str, completion: str) -> float:
    """The share of the answer's distinct words of 4 letters or more that the prompt has: 0 to 1."""
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
    "matches": matches,
    "is_json": is_json,
}


@dataclass(frozen=True)
class RuleReward:
    """A rule of RULES with its options set, as a RewardModel."""

    name: str
    options: Mapping[str, int | str | Terms]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row; see the rule's own docstring for its range."""
        check_rows(prompts, completions)
        rule = RULES[self.name]
        pairs = zip(prompts, completions, strict=True)
        return [float(rule(prompt, completion, **self.options)) for prompt, completion in pairs]

    def identity(self) -> str:
        """The same for the same rule with the same options, as long as its code is the same."""
        # What a rule calls stands in this file too.
        code = [inspect.getsource(RULES[self.name]), Path(__file__).read_text(encoding="utf-8")]
        return content_id("rule", self.name, dict(self.options), code)


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
    typed: dict[str, int | str | Terms] = {
        key: _typed(name, known[key], value) for key, value in options.items()
    }
    if name == "forbidden":
        # Read once: a list that is edited meanwhile is another rule's, with another id.
        typed = {"words": _listed(*(options.get(key, "") for key in ("words", "file", "column")))}
    # Tried once, so that a file that is missing or a broken pattern is told before any work.
    RULES[name]("", "", **typed)
    return RuleReward(name, typed)


def _typed(name: str, parameter: inspect.Parameter, value: str) -> int | str:
    """`value` as the type of the option: a whole number of at least 1, or text."""
    if not isinstance(parameter.default, int):
        return value
    if not value.isdecimal() or int(value) < 1:
        raise ConfigError(
            f"reward: rule '{name}', {parameter.name}: expected a whole number of at least 1, "
            f"got '{value}'"
        )
    return int(value)


def _listed(words: str | Terms, file: str, column: str) -> Terms:
    """The forbidden words and phrases, one or more."""
    if bool(words) == bool(file):
        raise ConfigError(
            "reward: rule 'forbidden' needs words=... or file=..., and only one of the two; "
            "give rule:forbidden?words=..."
        )
    if not isinstance(words, str):
        return words
    terms = tuple(words.split(",") if words else _terms(file, column or "text"))
    if not any(map(_signed_words, terms)):
        raise ConfigError(f"reward: rule 'forbidden', words: names no word: '{words or file}'")
    return terms


@lru_cache(maxsize=16)
def _banned(terms: Terms) -> dict[bool, dict[str, set[Terms]]]:
    """Forbidden phrases by their first word, apart for those spelled with signs (True)."""
    found: dict[bool, dict[str, set[Terms]]] = {False: {}, True: {}}
    for term in terms:
        plain, signed = words_of(term), _signed_words(term)
        phrase = tuple(plain if plain == signed else signed)
        if phrase:
            found[plain != signed].setdefault(phrase[0], set()).add(phrase)
    return found


def _terms(file: str, column: str) -> list[str]:
    rows = read_rows(file)
    if Path(file).suffix.lower() == ".txt":
        return [row["prompt"] for row in rows]
    columns(rows, [column], file)
    return [str(row[column]) for row in rows]


def _signed_words(text: str) -> list[str]:
    """Words between white space, lower case, without the marks around them: "@$$!" is "@$$"."""
    return [word for each in text.lower().split() if (word := each.strip(AROUND))]


def _count(said: Sequence[str], terms: Mapping[str, set[Terms]]) -> int:
    """How often phrases of `terms` stand in `said`."""
    return sum(
        tuple(said[at : at + len(phrase)]) == phrase
        for at, word in enumerate(said)
        for phrase in terms.get(word, ())
    )


@lru_cache(maxsize=16)
def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise ConfigError(
            f"reward: rule 'matches', pattern: {pattern!r} is no regular expression ({error})"
        ) from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
