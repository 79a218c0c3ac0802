"""PPO side by side with another trainer: `python -m bench.ppo --peer trl-1.12 --model stories`.

Both sides start from the same weights and prompts, sample the same number of tokens (EOS off),
score them with the same network, and learn for the same epochs in one minibatch, float32, on the
same threads. Processes run one at a time, the two sides in turn; docs/benchmarks.md has the rest.
With `--learn` it is `python -m bench.learn`: reward and KL over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import learn, peers

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("stories", "gpt2-13.9m", "gpt2-32k", "t5-9.4m")
SIDES = {"trl-1.12": "bench.side_trl_new", "trl-0.11.4": "bench.side_trl_old"}
PHASES = ("rollout", "score", "update", "step")


def main() -> int:
    if "--learn" in sys.argv:  # how well rather than how fast: a program of its own
        sys.argv.remove("--learn")
        learn.main()
        return 0
    asked = arguments()
    if asked.peer == "trl-1.12" and asked.model == "t5-9.4m":
        print("error: trl 1.12 has no PPO for encoder-decoders; use --peer trl-0.11.4")
        return 1
    try:
        peers.make(asked.peer)
    except peers.PeerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        run(asked, Path(place))
    return 0


def run(asked: argparse.Namespace, place: Path) -> None:
    problem = place / "problem"
    problem.mkdir()
    python("bench.shapes", asked.model, problem, asked.seed, asked.stories, env=alone(asked))
    shape = json.loads((problem / "shape.json").read_text(encoding="utf-8"))
    reports: dict[str, list[dict]] = {"humanalign": [], asked.peer: []}
    floors = []
    for turn in range(asked.processes):
        floors.append(measure_floor(asked, problem, shape))
        # Alternate who goes first: a machine that warms up or cools down favours nobody.
        for side in sorted(reports, reverse=bool(turn % 2)):
            report = measure(asked, problem, shape, side)
            reports[side].append(report)
            print(f"{turn + 1}. {side:<12}{line(report)}", flush=True)
    print(table(asked, shape, reports, floors))
    if asked.json:
        found = {"asked": vars(asked), "reports": reports, "floors": floors}
        Path(asked.json).write_text(json.dumps(found, default=str, indent=1), encoding="utf-8")


def measure(asked: argparse.Namespace, problem: Path, shape: dict, side: str) -> dict:
    """One process of one side."""
    ours = side == "humanalign"
    job = {
        "problem": str(problem),
        "rows": asked.rows or shape["rows"],
        "response": asked.response or shape["response"],
        "lr": shape["lr"],
        "out": str(problem.parent / "report.json"),
        "lora": asked.lora,
        "warmup": asked.warmup,
        "steps": asked.steps,
        "threads": asked.threads,
        "seed": asked.seed,
        "stock": asked.stock,
        "profile": asked.profile,
    }
    about = problem.parent / "job.json"
    about.write_text(json.dumps(job), encoding="utf-8")
    env = alone(asked) if ours else alone(asked, peers.environment(asked.peer))
    python("bench.side_ours" if ours else SIDES[asked.peer], about, env=env)
    return json.loads(Path(job["out"]).read_text(encoding="utf-8"))


def measure_floor(asked: argparse.Namespace, problem: Path, shape: dict) -> dict:
    rows, response = asked.rows or shape["rows"], asked.response or shape["response"]
    numbers = (rows, response, 4, asked.lora, asked.threads)
    return json.loads(python("bench.floor", problem, *numbers, env=alone(asked)))


def python(module: str, *arguments: object, env: dict[str, str]) -> str:
    """What `module` prints; its errors go to this terminal, and a failure ends the measurement."""
    command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def alone(asked: argparse.Namespace, env: dict[str, str] | None = None) -> dict[str, str]:
    """The process's environment, with its share of the machine."""
    share = {"OMP_NUM_THREADS": str(asked.threads), "TOKENIZERS_PARALLELISM": "false"}
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return {**(env or os.environ), **share, **quiet}


def line(report: dict) -> str:
    split = "  ".join(f"{phase} {report[phase]:.3f}" for phase in PHASES)
    return f"{split} s/step  peak {report['peak_mb']:.0f} MB"


def table(
    asked: argparse.Namespace, shape: dict, reports: dict[str, list[dict]], floors: list[dict]
) -> str:
    """Markdown: medians over processes with their range, and how far each is from the floor."""
    tokens = (asked.rows or shape["rows"]) * (asked.response or shape["response"])
    best = {phase: min(f[phase] for f in floors) for phase in PHASES[:3]}
    best["step"] = sum(best.values())
    rows = [
        f"{asked.model}, LoRA rank {asked.lora}, {asked.threads} threads",
        "| | rollout s | score s | update s | step s (range) | tokens/s | peak MB | trained |",
        "|-|-|-|-|-|-|-|-|",
    ]
    for side, found in reports.items():
        middle = {phase: statistics.median(r[phase] for r in found) for phase in PHASES}
        spread = f"{min(r['step'] for r in found):.2f}-{max(r['step'] for r in found):.2f}"
        peak = statistics.median(r["peak_mb"] for r in found)
        cells = [f"{middle[p]:.3f}" for p in PHASES[:3]] + [f"{middle['step']:.3f} ({spread})"]
        cells += [f"{tokens / middle['step']:.0f}", f"{peak:.0f}", str(found[0]["trained"])]
        rows.append(f"| {side} | {' | '.join(cells)} |")
        over = [f"{middle[p] / best[p]:.1f}x" for p in PHASES]
        rows.append(f"| measured / floor | {' | '.join(over)} | | | |")
    rate = f"{floors[0]['flops'] / 1e9:.0f} GFLOP/s, {floors[0]['bandwidth'] / 1e9:.0f} GB/s"
    floor = " | ".join(f"{best[p]:.3f}" for p in PHASES)
    rows.append(f"| floor | {floor} | | | {rate} |")
    ratios = [
        theirs["step"] / ours["step"]
        for ours, theirs in zip(reports["humanalign"], reports[asked.peer], strict=True)
    ]
    rows.append(
        f"{asked.peer} takes {statistics.median(ratios):.2f} times as long "
        f"({min(ratios):.2f}-{max(ratios):.2f} over {len(ratios)} processes)"
    )
    return "\n".join(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ppo", description=__doc__)
    parser.add_argument("--peer", choices=SIDES, default="trl-1.12")
    parser.add_argument("--model", choices=MODELS, default="stories")
    parser.add_argument("--lora", type=int, nargs="?", const=16, default=0, help="adapter rank")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", type=int, default=3, help="of each side, in turn")
    parser.add_argument("--warmup", type=int, default=2, help="steps left out, per process")
    parser.add_argument("--steps", type=int, default=5, help="timed steps, per process")
    parser.add_argument("--rows", type=int, help="answers a step, in place of the shape's own")
    parser.add_argument("--response", type=int, help="tokens an answer, in place of the shape's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stock", action="store_true", help="leave the peer's gc.collect() in")
    parser.add_argument("--profile", action="store_true", help="print the dearest operations")
    parser.add_argument("--stories", default=ROOT.parent / "shared/models/stories260K")
    parser.add_argument("--json", help="file for every figure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
