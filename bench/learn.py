"""How well PPO learns: reward and KL on held-out openings, beside what is possible at all.

    python -m bench.learn --stories DIR --texts FILE --recipe plain critic --seeds 0 1 2 3 4

A pretrained story model is aligned with VADER's sentiment of 48 sampled tokens, 100 steps of 64.
Each run is one process on one thread; `--jobs` of them run at a time. The frontier is the exact
optimum of E[r] - beta KL, pi(y) ~ ref(y) exp(r / beta), by importance sampling from the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORDS, HELD_OUT, SAMPLES, TOKENS = 10, 200, 4, 48
RECIPES = {
    # PPO's defaults but for the learning rate, which a model of this size wants larger.
    "plain": {"lr": 2e-4, "schedule": "linear"},
    # A critic with an adapter of its own, and a larger KL coefficient.
    "critic": {
        "lr": 2e-4,
        "schedule": "linear",
        "kl": {"coef": 0.08},
        "value": {"model": "adapter"},
        "value_clip": None,
    },
    "adaptive": {
        "lr": 2e-4,
        "schedule": "linear",
        "kl": {"coef": 0.1, "target": 3.0, "horizon": 1500},
    },
    "blow-up": {"lr": 1e-3, "kl": {"coef": 0.05}},
}


def openings(texts: Path) -> tuple[list[str], list[str]]:
    """(held out, training): the first words of each story, each opening once.

    In the file a story begins on a line whose predecessor is not empty.
    """
    lines = texts.read_text(encoding="utf-8").splitlines()
    starts = [b for a, b in zip(["x", *lines], lines, strict=False) if a.strip() and b.strip()]
    found = dict.fromkeys(" ".join(line.split()[:WORDS]) for line in starts)
    order = sorted(found)
    random.Random(0).shuffle(order)
    return order[:HELD_OUT], order[HELD_OUT:]


@cache
def sentiment():
    """VADER as a RewardModel: the example's function, loaded as a run would load it."""
    from humanalign.reward.sources import resolve

    return resolve(f"python:{ROOT / 'examples' / 'sentiment.py'}:reward")


def train(stories: str, texts: Path, recipe: str, seed: int, steps: int) -> dict:
    """One run and its evaluation: reward, KL by k1 and over the whole vocabulary, distinct-2."""
    from humanalign.align.online import online
    from humanalign.config import build
    from humanalign.models import Lora, Policy
    from humanalign.settings import AlignConfig
    from humanalign.types import Prompt

    held_out, training = openings(texts)
    keys = {"model": stories, "steps": steps, "max_new_tokens": TOKENS, "ignore_eos": True}
    config = build(AlignConfig, keys | {"seed": seed, "checkpoint": {"every": 0}} | RECIPES[recipe])
    policy = Policy.load(stories, lora=Lora(config.lora.rank), seed=seed)
    summary = online(policy, [Prompt(t) for t in training], sentiment(), config)
    found = evaluate(policy, Policy.load(stories), held_out, seed=10_000 + seed)
    return {
        "recipe": recipe,
        "seed": seed,
        **found,
        "stopped_by": summary["stopped_by"],
        "kl_alarms": summary["kl_alarms"],
        "kl_last": summary["kl"],
    }


def evaluate(policy, reference, prompts: list[str], *, seed: int) -> dict:
    """Numbers over openings x SAMPLES answers; standard errors are over openings."""
    import torch

    from humanalign.objectives import kl
    from humanalign.sampling import Sampling, sample

    sampling = Sampling(max_new_tokens=TOKENS, ignore_eos=True)
    rows: dict[str, list[list[float]]] = {"reward": [], "kl": [], "kl_full": []}
    texts: list[str] = []
    for i in range(SAMPLES):
        generator = torch.Generator().manual_seed(seed + 100_000 * i)
        drawn = sample(policy, prompts, sampling, generator=generator)
        with torch.no_grad():
            ours, theirs = (m.forward(drawn.tokens)[0] for m in (policy, reference))
        eos = list(policy.eos_ids)
        for logits in (ours, theirs):
            logits[..., eos] = -torch.inf
        ids = drawn.tokens.response_ids.unsqueeze(-1)
        ratio = (ours.log_softmax(-1) - theirs.log_softmax(-1)).gather(-1, ids)[..., 0]
        rows["reward"].append(sentiment().score(prompts, drawn.texts))
        rows["kl"].append(ratio.sum(1).tolist())
        rows["kl_full"].append(kl.full(ours, theirs).sum(1).tolist())
        texts = texts or drawn.texts
    found: dict = {"distinct2": distinct(texts), "openings": len(prompts), "samples": texts[:3]}
    for name, by_sample in rows.items():
        means = [statistics.fmean(column) for column in zip(*by_sample, strict=True)]
        error = statistics.stdev(means) / len(means) ** 0.5
        found[name], found[f"{name}_error"] = statistics.fmean(means), error
    return found


def distinct(texts: Sequence[str]) -> float:
    """Different bigrams over all bigrams of one answer per opening, taken together."""
    pairs = [p for t in texts for p in zip(t.lower().split(), t.lower().split()[1:], strict=False)]
    return len(set(pairs)) / max(1, len(pairs))


def frontier(stories: str, texts: Path, *, per_opening: int = 96) -> list[dict]:
    """(beta, reward, KL) of the exact optimum, self-normalised over reference samples.

    Below beta = .03 a handful of samples carries all the weight: a lower bound on both.
    """
    import torch

    from humanalign.models import Policy
    from humanalign.sampling import Sampling, sample

    held_out, _ = openings(texts)
    reference, sampling = Policy.load(stories), Sampling(max_new_tokens=TOKENS, ignore_eos=True)
    columns = []
    for i in range(per_opening):
        generator = torch.Generator().manual_seed(777 + i)
        drawn = sample(reference, held_out, sampling, generator=generator)
        columns.append(sentiment().score(held_out, drawn.texts))
    rewards = torch.tensor(columns).T.double()  # [openings, samples]
    points = []
    for beta in (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0):
        weights = (rewards / beta).softmax(1)
        kl = (weights * (weights * per_opening).clamp(min=1e-300).log()).sum(1)
        reward = (weights * rewards).sum(1)
        points.append({"beta": beta, "reward": float(reward.mean()), "kl": float(kl.mean())})
    base = float(rewards.mean())
    return [*points, {"beta": None, "reward": base, "kl": 0.0}]


def draw(runs: list[dict], points: list[dict], path: Path) -> None:
    """The runs beside the frontier, as a small SVG that reads in light and dark."""
    curve = sorted((p["kl"], p["reward"]) for p in points)
    dots = [(r["kl"], r["reward"], r["recipe"]) for r in runs]
    right = max(6.0, *(x for x, _, _ in dots)) * 1.05
    low = min(y for _, y in curve) - 0.02

    def at(x: float, y: float) -> tuple[float, float]:
        return 50 + x / right * 430, 260 - (y - low) / (1 - low) * 240

    line = " ".join(f"{'ML'[i > 0]}{at(*p)[0]:.1f},{at(*p)[1]:.1f}" for i, p in enumerate(curve))
    shades = dict(
        zip(
            dict.fromkeys(r[2] for r in dots),
            ("#2a78c8", "#d9652b", "#2e9d5b", "#999"),
            strict=False,
        )
    )
    marks = "".join(
        f'<circle cx="{at(x, y)[0]:.1f}" cy="{at(x, y)[1]:.1f}" r="4" fill="{shades[n]}"/>'
        for x, y, n in dots
    )
    ticks = "".join(
        f'<text x="{at(k, low)[0]:.0f}" y="278" text-anchor="middle">{k}</text>'
        for k in range(int(right) + 1)
    ) + "".join(
        f'<text x="44" y="{at(0, t / 10)[1] + 4:.0f}" text-anchor="end">.{t}</text>'
        for t in range(4, 10)
    )
    legend = "".join(
        f'<circle cx="330" cy="{190 + 16 * i}" r="4" fill="{c}"/>'
        f'<text x="340" y="{194 + 16 * i}">{n}, one dot a seed</text>'
        for i, (n, c) in enumerate(shades.items())
    )
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 300" font-family="sans-serif" '
        'font-size="11"><rect width="500" height="300" fill="#fff"/>'
        f'<path d="{line}" fill="none" stroke="#444" stroke-width="1.5"/>{marks}{ticks}{legend}'
        '<text x="340" y="178">exact optimum: the line</text>'
        '<text x="265" y="295" text-anchor="middle">KL to the reference, nats an answer</text>'
        '<text x="14" y="140" transform="rotate(-90 14 140)" text-anchor="middle">reward</text>'
        "</svg>\n",
        encoding="utf-8",
    )


def table(runs: list[dict]) -> str:
    head = "| recipe | seed | reward | KL k1 | KL full | distinct-2 |\n|-|-|-|-|-|-|"
    rows = [
        f"| {r['recipe']} | {r['seed']} | {r['reward']:.3f} ± {r['reward_error']:.3f} | "
        f"{r['kl']:.2f} ± {r['kl_error']:.2f} | {r['kl_full']:.2f} ± {r['kl_full_error']:.2f} | "
        f"{r['distinct2']:.2f} |"
        for r in runs
    ]
    return "\n".join([head, *rows])


def alone(job: list[str], threads: int, module: str = "bench.learn") -> dict:
    """One run in a process of its own; its result is the last line that it prints."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *job],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", required=True, help="folder of the story model")
    parser.add_argument("--texts", type=Path, required=True, help="file of stories")
    parser.add_argument("--recipe", nargs="+", default=["plain", "critic"], choices=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for learn.json and frontier.svg")
    parser.add_argument("--one", action="store_true", help="this process is one run")
    asked = parser.parse_args()
    if asked.one:
        found = train(asked.stories, asked.texts, asked.recipe[0], asked.seeds[0], asked.steps)
        print(json.dumps(found))
        return
    jobs = [
        [
            "--one",
            "--stories",
            asked.stories,
            "--texts",
            str(asked.texts),
            "--recipe",
            recipe,
            "--seeds",
            str(seed),
            "--steps",
            str(asked.steps),
        ]
        for recipe in asked.recipe
        for seed in asked.seeds
    ]
    with ThreadPoolExecutor(asked.jobs) as pool:
        runs = list(pool.map(lambda job: alone(job, threads=1), jobs))
    print(table(runs))
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        points = frontier(asked.stories, asked.texts)
        found = {"runs": runs, "frontier": points}
        (asked.out / "learn.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        draw(runs, points, asked.out / "frontier.svg")


if __name__ == "__main__":
    main()
