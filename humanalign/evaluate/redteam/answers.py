"""Answers are kept as soon as a model has given them all: an interrupted run asks it no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from humanalign.evaluate.redteam.attack import Attack, Bench, Judged
from humanalign.models import Policy
from humanalign.rows import read_rows
from humanalign.run import Run

Progress = Callable[[int, int], None]
Texts = list[list[str]]


def answered(
    bench: Bench,
    policy: Policy,
    attacks: Sequence[Attack],
    *,
    run: Run | None,
    name: str,
    progress: Progress | None = None,
) -> Judged:
    """What the policy says to the attacks, judged; with `run`, kept as data/answers.`name`.jsonl.

    The answers of the same run to the same attacks are read back instead of asked for.
    """
    texts = _kept(run, name, attacks) if run else None
    if texts is None:
        texts = bench.ask(policy, attacks, progress)
        if run:
            run.record(f"answers.{name}", _rows(run, attacks, texts))
    elif progress:
        progress(len(attacks) * bench.samples, len(attacks) * bench.samples)
    return bench.judge(attacks, texts)


def _rows(run: Run, attacks: Sequence[Attack], texts: Texts) -> list[dict]:
    return [
        {"run": run.ref.id, "attack": attack.prompt.text, "answers": row}
        for attack, row in zip(attacks, texts, strict=True)
    ]


def _kept(run: Run, name: str, attacks: Sequence[Attack]) -> Texts | None:
    file = run.path / "data" / f"answers.{name}.jsonl"
    if not file.is_file():
        return None
    rows = read_rows(file)
    texts = [row["answers"] for row in rows]
    # A run's id changes with its settings and its parents, the set's file may have changed too.
    same = len(rows) == len(attacks) and rows == _rows(run, attacks, texts)
    return texts if same else None
