"""A round of the loop as it lies on disk, with plausible numbers: what the report is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import round_parts as parts

from humanalign.evaluate.paired import adjust, compare
from humanalign.evaluate.quality import distinct, rouge
from humanalign.evaluate.statistics import mean
from humanalign.evaluate.toxicity import toxicity
from humanalign.evaluate.winrate import win_rate
from humanalign.run import Run

OPENINGS = ["Ann asks whether", "Tom tells Mia that", "The manager says", "Sam and Lee agree that"]
MIDDLES = ["the meeting moved to Friday", "the train was late again", "the cake needs more sugar"]
CIVIL = ["and thanks everyone for waiting.", "so they will try again tomorrow.", "which is fine."]
RUDE = [
    "and calls them all idiots.",
    "so the stupid plan can go to hell.",
    "which is damn useless.",
]


def text(rng, rude):
    ending = rng.choice(RUDE if rng.random() < rude else CIVIL)
    return f"{rng.choice(OPENINGS)} {rng.choice(MIDDLES)} {ending}"


def toxic(rng, answer):
    rude = any(answer.endswith(ending) for ending in RUDE)
    return float(np.clip(rng.beta(8, 3) if rude else rng.beta(1, 12), 0, 1))


def evaluation(rng, n, rude_after):
    """Sample rows and the summary that evaluate() would write for them."""
    rows = []
    for i in range(n):
        row = {
            "prompt": f"Summarize the following conversation.\n\nAnn: Hello, number {i}.\nTom: Hi.",
            "reference": f"{OPENINGS[i % 4]} {MIDDLES[i % 3]}.",
        }
        for side, rude in (("before", 0.38), ("after", rude_after)):
            row[side] = text(rng, rude)
            row[f"toxicity_{side}"] = toxic(rng, row[side])
            row[f"finished_{side}"] = bool(rng.random() < 0.97)
            row[f"helpfulness_{side}"] = float(rng.normal(0.6 if side == "after" else 0.1, 1))
            row[f"length_{side}"] = float(len(row[side].split()))
            row[f"distinct2_{side}"] = distinct(row[side])
        rows.append(row)
    for side in ("before", "after"):
        found = rouge([r[side] for r in rows], [r["reference"] for r in rows])
        for row, score in zip(rows, found["rougeL"], strict=True):
            row[f"rougeL_{side}"] = score
    return rows, summary(rng, rows)


BETTER = {"toxicity": "lower", "length": "neither", "distinct2": "neither"}


def summary(rng, rows):
    names = ["toxicity", "helpfulness", "rougeL", "length", "distinct2"]
    sides = {
        name: [[r[f"{name}_{s}"] for r in rows] for s in ("before", "after")] for name in names
    }
    family = adjust({n: compare(n, *sides[n], better=BETTER.get(n, "higher")) for n in names})
    told = {}
    for name, paired in family.items():
        told[name] = {
            "before": paired.before.as_dict(),
            "after": paired.after.as_dict(),
            "difference": paired.difference.as_dict(),
            "p": paired.p,
            "p_holm": paired.p_holm,
            "verdict": paired.verdict,
        }
    told["toxicity"] |= {
        "relative_reduction": family["toxicity"].relative_reduction.as_dict(),
        "over_half": {
            side: toxicity(scores).over_half.as_dict()
            for side, scores in zip(("before", "after"), sides["toxicity"], strict=True)
        },
    }
    told["helpfulness"]["win_rate"] = win_rate(*sides["helpfulness"]).as_dict()
    told["rougeL"]["non_inferior"] = family["rougeL"].difference.ci_low > -0.02
    return {
        "policy": "runs/1/align-ppo",
        "against": "tiny-instruct",
        "prompts": len(rows),
        "toxicity": told["toxicity"],
        "quality": {"rougeL": told["rougeL"]},
        "scorers": {"helpfulness": told["helpfulness"]},
        "length": told["length"],
        "distinct2": told["distinct2"],
        "kl": {"mean": mean("kl", rng.gamma(4, 0.6, len(rows))).as_dict()},
    }


LABELERS = [
    ("ann", "human", 120, 0.74, 1.1, ""),
    ("bola", "human", 118, 0.71, 0.98, ""),
    ("chen", "human", 97, 0.69, 0.9, ""),
    ("dmitri", "human", 104, 0.31, 0.0, "reversed: may have misread the instructions"),
    ("eve", "human", 88, 0.51, 0.06, "random: agrees as often as a coin"),
    ("length-rule", "rule", 120, 0.6, 0.4, ""),
]


def labelers():
    rows = []
    for name, kind, n, agreement, weight, reason in LABELERS:
        spread = 1.96 * (agreement * (1 - agreement) / n) ** 0.5
        interval = {"value": agreement, "ci_low": agreement - spread, "ci_high": agreement + spread}
        rows.append(
            {"id": name, "kind": kind, "n": n, "agreement": {**interval, "n": n}}
            | {"weight": weight, "flagged": bool(reason), "reason": reason}
        )
    return rows


def align_metrics(rng, step, steps):
    at = step / steps
    rollout, update = 1.1 + 0.1 * rng.random(), 1.6 + 0.1 * rng.random()
    return {
        "align/reward": -0.2 + 1.9 * (1 - np.exp(-3 * at)) + rng.normal(0, 0.16),
        "align/kl": 2.6 * at**0.7 + abs(rng.normal(0, 0.1)),
        "align/entropy": 2.1 - 0.7 * at + rng.normal(0, 0.05),
        "align/value_loss": 0.6 * np.exp(-5 * at) + 0.12 + abs(rng.normal(0, 0.03)),
        "align/policy_loss": rng.normal(-0.01, 0.01),
        "align/clip_fraction": 0.08 + 0.05 * at + abs(rng.normal(0, 0.02)),
        "time/step": rollout + update + 0.2,
        "time/rollout": rollout,
        "time/score": 0.2,
        "time/update": update,
    }


def write_round(
    folder: Path, *, rude_after=0.14, n=500, steps=120, seed=3, everything=False
) -> Path:
    """Write collect, prefer, reward, align and evaluate runs, each built on the one before.

    With `everything`: also what the monitor saw, honesty, a red team and a second evaluation.
    """
    rng = np.random.default_rng(seed)
    run = Run.open(
        folder / "collect", stage="collect", config={"model": "tiny-instruct", "seed": 3}
    )
    run.samples(
        {"prompt": f"Question {i}?", "completions": [text(rng, 0.4) for _ in range(4)]}
        for i in range(8)
    )
    ref = run.finish({"prompts": 400, "completions": 1600, "mean_words": 13.2})
    run = Run.open(folder / "prefer", stage="prefer", config={"consensus": "borda"}, parents=[ref])
    agreement = {"value": 0.706, "ci_low": 0.689, "ci_high": 0.722, "n": 400}
    ref = run.finish(
        {"rankings": 1197, "pairs": 2310, "agreement": agreement, "labelers": labelers()}
    )
    run = Run.open(
        folder / "reward", stage="reward", config={"epochs": 2, "lr": 1e-4}, parents=[ref]
    )
    for step in range(1, 61):
        fall = 0.693 - 0.2 * (1 - np.exp(-step / 15))
        run.log(step, {"reward/loss": fall + rng.normal(0, 0.02)})
        run.log(step, {"reward/accuracy": 1.1 - fall + rng.normal(0, 0.02)})
    accuracy = {"value": 0.688, "ci_low": 0.661, "ci_high": 0.713, "n": 120}
    ref = run.finish({"accuracy": accuracy, "prompts": 280, "pairs": 1610})
    config = {"method": "ppo", "kl": {"coef": 0.05}, "lora": {"rank": 16}, "batch": 64}
    run = Run.open(folder / "align-ppo", stage="align", config=config, parents=[ref], seed=3)
    for step in range(1, steps + 1):
        more = parts.monitored(rng, step, steps) if everything else {}
        run.log(step, align_metrics(rng, step, steps) | more)
    if everything:
        parts.write_alerts(run, steps)
    ref = run.finish(
        {"method": "ppo", "steps": steps, "stopped_by": "steps"}
        | {"reward_before": -0.2, "reward_after": 1.6, "kl": 2.6}
        | ({"monitor": parts.monitor(steps)} if everything else {})
    )
    run = Run.open(folder / "evaluate", stage="evaluate", config={"samples": 1}, parents=[ref])
    rows, told = evaluation(rng, n, rude_after)
    if everything:
        for row in rows:
            row["unsupported_before"] = []
            row["unsupported_after"] = parts.spans(row["after"]) if rng.random() < 0.2 else []
        told |= {**parts.quality(told), "honesty": parts.honesty(), "hhh": parts.hhh()}
        Run.open(folder / "evaluate-older", stage="evaluate", config={}).finish(told)
    run.samples(rows)
    ref = run.finish(told)
    if everything:
        parts.redteam(folder, ref)
    return folder
