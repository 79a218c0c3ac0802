"""How long an export of many answers takes and how much memory: `python -m bench.exports`.

100,000 made-up answers (4 completions of 60 words, 3 raters an item) pass through every export and
container, each in a process of its own, so that its peak memory is its own. `--answers` and
`--only` make it smaller. Reading the answers from a store is not part of it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from humanalign.prefer.files.exports import EXPORTS, export_chunks
from humanalign.prefer.files.judgements import Judgement, Question, QuestionKind, Record
from humanalign.types import Completion, Prompt, Sampler

ANSWERS = 100_000
RATERS = 3
CARDS = 4
WORDS = 60


def records(answers: int, kind: QuestionKind) -> Iterator[Record]:
    """Answers to items that are made up one after the other and forgotten."""
    rng = random.Random(0)
    words = [f"word{n}" for n in range(500)]
    for item in range(answers // RATERS + 1):
        prompt = Prompt(f"Question {item}: " + " ".join(rng.choices(words, k=WORDS // 3)))
        completions = tuple(
            Completion(prompt.id, " ".join(rng.choices(words, k=WORDS)), Sampler(f"model-{card}"))
            for card in range(CARDS)
        )
        question = Question(kind, prompt.id, tuple(each.id for each in completions))
        for rater in range(min(RATERS, answers - item * RATERS)):
            marks = {each.id: rng.randint(1, 3) for each in completions}
            if kind == "ranking":
                order = rng.sample(range(1, CARDS + 1), CARDS)
                marks = dict(zip(question.completion_ids, order, strict=True))
            given = Judgement(question.id, f"L-{rater}", marks, 12.5, "v1", "a note", 1.7e9)
            yield Record(question, prompt, completions, given)


def measure(name: str, container: str, answers: int) -> dict:
    """One export in this process: seconds, bytes, and the process's peak memory."""
    kind = "ranking" if "ranking" in EXPORTS[name].kinds else EXPORTS[name].kinds[0]
    started = time.perf_counter()
    made = sum(1 for _ in records(answers, kind))
    making = time.perf_counter() - started
    started = time.perf_counter()
    size = sum(map(len, export_chunks(name, records(answers, kind), container)))
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "export": name + container,
        "answers": made,
        "seconds": round(time.perf_counter() - started - making, 2),
        "megabytes": round(size / 1e6, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6),
    }


def main() -> None:
    """Every export in a process of its own, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=ANSWERS)
    parser.add_argument("--only", nargs=2, metavar=("EXPORT", "CONTAINER"))
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(*given.only, given.answers)))
        return
    for name, export in EXPORTS.items():
        for container in export.containers:
            command = [sys.executable, "-m", "bench.exports", "--answers", str(given.answers)]
            subprocess.run([*command, "--only", name, container], check=True)


if __name__ == "__main__":
    main()
