"""`score`: a reward is checked on pairs, or scores answers for another program to read."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from humanalign.conversations import Messages
from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.report.reward_card import verdict
from humanalign.prefer.files.formats import read_pairs
from humanalign.prefer.files.transcripts import messages_of, pair_of_messages
from humanalign.reward.sources import resolve
from humanalign.rows import iter_rows, write_bytes
from humanalign.settings import ScoreConfig
from humanalign.types import PreferencePair, RewardModel

log = logging.getLogger("humanalign")
Progress = Callable[[int, int], None] | None
# Answers scored at a time: enough to find neighbours of the same length, few enough to be told of.
AT_ONCE = 2048


@dataclass(frozen=True)
class Answer:
    """One text to score: its prompt, and the row that it came in without the other answers."""

    prompt: str
    completion: str
    row: Mapping


def score(config: ScoreConfig, spec: str, progress: Progress = None) -> Mapping:
    """The card of a reward on pairs, or its scores of answers in a .scored.jsonl beside them.

    `spec` is a run, a saved reward or any other reward spec.
    """
    if (config.pairs is None) == (config.prompts is None):
        raise ConfigError("give one of --pairs FILE (is it right?) and --prompts FILE (scores)")
    if config.pairs:
        if config.out:
            raise ConfigError("out: only --prompts writes a file; leave it out")
        pairs = read_pairs(config.pairs)
        card = card_of(_reward(spec), pairs, _trained_on(spec), name=config.pairs)
        return {"verdict": list(verdict(card)), **card}
    source = Path(str(config.prompts))
    out = _out(source, config.out)
    answers = read_answers(source)
    rows = scored_rows(_reward(spec), answers, progress)
    lines = (json.dumps(row, ensure_ascii=False, default=str) for row in rows)
    with _writing(out):
        write_bytes(out, "".join(f"{line}\n" for line in lines).encode())
    told = {"scored": len(rows), "mean": sum(row["score"] for row in rows) / len(rows)}
    strange = sum("unfamiliar" in row for row in rows)
    if strange:
        log.warning(
            "%d of %d answers (%.1f %%) are unlike what this reward was fitted on; "
            'do not rely on the scores of those with "unfamiliar": true',
            *(strange, len(rows), 100 * strange / len(rows)),
        )
    return {**told, "unfamiliar": strange, "file": str(out)}


def card_of(
    reward: RewardModel,
    pairs: Sequence[PreferencePair],
    trained: Sequence[PreferencePair],
    *,
    name: str,
) -> dict:
    """The reward card on `pairs`; those that the reward was `trained` on only serve to find leaks.

    No baseline is trained: of those, only the longer answer is told. DataError: one prompt alone.
    """
    # Only the verb that needs them pays for torch and scipy.
    from humanalign.reward.trust.card import reward_card
    from humanalign.reward.trust.leaks import leaks
    from humanalign.reward.trust.warnings import warnings_of

    if len({pair.prompt for pair in pairs}) < 2:
        raise DataError(f"{name}: all pairs are of one prompt; an interval needs 2 prompts or more")
    card = reward_card(reward, [], pairs)
    if trained:
        count = {"train": len(trained), "train_prompts": len({pair.prompt for pair in trained})}
        card |= {"pairs": card["pairs"] | count, "leaks": leaks(trained, pairs)}
        card["warnings"] = warnings_of(card)
    return card


def scored_rows(reward: RewardModel, answers: Sequence[Answer], progress: Progress) -> list[dict]:
    """The rows of `answers` with `score`, and `unfamiliar` where it is not to be relied on."""
    rows: list[dict] = []
    for start in range(0, len(answers), AT_ONCE):
        part = answers[start : start + AT_ONCE]
        scores = reward.score([a.prompt for a in part], [a.completion for a in part])
        strange = _unfamiliar(reward, part, scores)
        rows += [
            _scored(answer.row, value, strange=odd)
            for answer, value, odd in zip(part, scores, strange, strict=True)
        ]
        if progress:
            progress(len(rows), len(answers))
    return rows


def _scored(row: Mapping, score: float, *, strange: bool) -> dict:
    """The row with this reward's word on it; that of an earlier reward goes."""
    kept = {key: value for key, value in row.items() if key != "unfamiliar"}
    return {**kept, "score": score} | ({"unfamiliar": True} if strange else {})


def read_answers(source: Path) -> list[Answer]:
    """Every answer in a file of rows of prompt and completion(s), or of messages.

    A row of several completions gives a row each. DataError: no rows, or one that is no answer.
    """
    answers = [
        answer
        for number, row in enumerate(iter_rows(source), start=1)
        for answer in _answers(row, f"{source}: row {number}")
    ]
    if not answers:
        raise DataError(f"{source}: the file holds no rows; give it at least one")
    return answers


def _answers(row: Mapping, where: str) -> Iterator[Answer]:
    try:
        yield from _texts(row)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _texts(row: Mapping) -> Iterator[Answer]:
    kept = {key: value for key, value in row.items() if key != "completions"}
    if row.get("completions") is not None:
        found = row["completions"]
        if not isinstance(found, list) or not found:
            raise DataError(f"completions: expected a list of answers, got {found!r:.60}")
        for each in found:
            prompt, text = _text(row, each)
            yield Answer(prompt, text, {**kept, "completion": each})
    elif row.get("completion") is not None:
        yield Answer(*_text(row, row["completion"]), kept)
    elif row.get("messages") is not None:
        yield Answer(*_conversation(None, messages_of(row["messages"], "messages")), kept)
    else:
        present = ", ".join(str(key) for key in row)
        raise DataError(
            f"expected prompt and completion (or completions), or messages; present: {present}"
        )


def _text(row: Mapping, answer: object) -> tuple[str, str]:
    """(prompt, answer) as text: a conversation becomes a transcript, as in files of pairs."""
    prompt = row.get("messages") if row.get("prompt") is None else row["prompt"]
    if isinstance(prompt, str) and isinstance(answer, str):
        return prompt, answer
    if prompt is None:
        raise DataError("has no 'prompt'; fill it in")
    asked = [("user", prompt)] if isinstance(prompt, str) else messages_of(prompt, "prompt")
    said = [("assistant", answer)] if isinstance(answer, str) else messages_of(answer, "completion")
    return _conversation(asked, said)


def _conversation(prompt: Messages | None, answer: Messages) -> tuple[str, str]:
    if prompt is None and len(answer) < 2:
        raise DataError("messages: expected a question and the assistant's answer, got one message")
    return pair_of_messages(prompt, answer, answer)[:2]


def _unfamiliar(
    reward: RewardModel, answers: Sequence[Answer], scores: Sequence[float]
) -> Sequence[bool]:
    """True where an answer is unlike the training data; False where the reward cannot know."""
    from humanalign.reward.model import LearnedReward
    from humanalign.reward.trust.baselines import features_of

    if not isinstance(reward, LearnedReward) or reward.familiar is None:
        return [False] * len(answers)
    features = features_of(reward, [(answer.prompt, answer.completion) for answer in answers])
    return reward.familiar.unfamiliar(features, scores).tolist()


def _reward(spec: str) -> RewardModel:
    return resolve(f"run:{spec}" if (Path(spec) / "run.json").exists() else spec)


def _trained_on(spec: str) -> list[PreferencePair]:
    """The pairs that a run was fitted on; none where `spec` is no such run."""
    run = Path(spec.removeprefix("run:").partition("?")[0])
    kept = run / "data" / "pairs.train.jsonl"
    return read_pairs(kept) if kept.is_file() else []


def _out(source: Path, named: str | None) -> Path:
    """Where the scores go, and can go: all that may be wrong with it is said before any work.

    ConfigError: over the answers themselves or another file, or not as JSON lines.
    """
    stem = source.name.removesuffix(".gz").removesuffix(".jsonl")
    out = Path(named) if named else source.with_name(f"{stem}.scored.jsonl")
    if not out.name.removesuffix(".gz").endswith(".jsonl"):
        raise ConfigError(f"out: scores are written as JSON lines; got {out}, name a .jsonl file")
    if out.resolve() == source.resolve():
        raise ConfigError(f"out: {out} holds the answers themselves; name another file")
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(out.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if out.exists() and not _holds_scores(out):
            raise ConfigError(f"out: {out} is there already and holds no scores; name another file")
    return out


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"out: {out} cannot be written ({error.strerror})") from None


def _holds_scores(file: Path) -> bool:
    """True for an earlier run's scores, or nothing at all: what may be written over."""
    try:
        return "score" in next(iter_rows(file), {"score"})
    except DataError:
        return False
