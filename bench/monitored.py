"""Clean runs with the monitor on: which rules ring wrongly, and what watching costs.

    python -m bench.monitored --stories DIR --texts FILE --seeds 3 4 5 --looks 10

Nothing is wrong here: the stories model, PPO with a KL penalty (bench.learn's plain recipe), and
a reward that is what is wanted. An alert is a false one. With --looks N it also answers 200
held-out openings every N steps, scored by another gold: that of bench.overoptimisation, which
wants good news and no repetition. The cost is the monitor's time over the whole step's, both from
the same rows of metrics.jsonl; that of looks is told apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from bench.learn import RECIPES, TOKENS, alone, openings, sentiment
from bench.overoptimisation import Gold


def one(stories: str, texts: Path, seed: int, steps: int, *, looks: int = 0) -> dict:
    """A run of one seed: its alerts, and the share of a step that the monitor takes."""
    import humanalign as ha

    held_out, training = openings(texts)
    settings = {"steps": steps, "max_new_tokens": TOKENS, "ignore_eos": True, "seed": seed}
    settings |= {"checkpoint": {"every": 0}} | RECIPES["plain"]
    policy = ha.Policy.load(stories, lora=ha.Lora(16), seed=seed)
    monitor = ha.Monitor(held_out, Gold(), every=looks) if looks else ha.Monitor()
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        prompts = [ha.Prompt(text) for text in training]
        ha.align(policy, prompts, sentiment(), run=run, settings=settings, monitor=monitor)
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if row["step"]]
        file = run / "alerts.jsonl"
        alerts = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
    looked = [row for row in rows if "monitor/proxy" in row]
    plain = [row for row in rows if "monitor/proxy" not in row]
    learning = sum(row["time/step"] - row["time/monitor"] for row in rows)
    return {
        "seed": seed,
        "steps": len(rows),
        "alerts": [(alert["step"], alert["rule"], alert["sentence"]) for alert in alerts],
        "milliseconds": 1000 * statistics.median(row["time/monitor"] for row in plain),
        "share": statistics.median(row["time/monitor"] / row["time/step"] for row in plain),
        "looks": sum(row["time/monitor"] for row in looked) / learning,
        "golds": [round(row["monitor/gold"], 3) for row in looked],
        "reward": (rows[0]["align/reward"], rows[-1]["align/reward"]),
        "kl": rows[-1]["align/kl_k1"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", required=True, help="folder of the story model")
    parser.add_argument("--texts", type=Path, required=True, help="file of stories")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--looks", type=int, default=0, help="steps between looks; 0: none")
    parser.add_argument("--one", action="store_true", help="this process is one run")
    asked = parser.parse_args()
    if asked.one:
        seed = asked.seeds[0]
        print(json.dumps(one(asked.stories, asked.texts, seed, asked.steps, looks=asked.looks)))
        return
    common = ["--one", "--stories", asked.stories, "--texts", str(asked.texts)]
    for seed in asked.seeds:
        job = [*common, "--seeds", str(seed), "--steps", str(asked.steps)]
        job += ["--looks", str(asked.looks)]
        found = alone(job, 1, "bench.monitored")
        print(
            f"seed {seed}: {found['steps']} steps, reward {found['reward'][0]:.2f} to "
            f"{found['reward'][1]:.2f}, KL {found['kl']:.1f}; the monitor takes "
            f"{found['milliseconds']:.1f} ms, {100 * found['share']:.2f} % of a step; "
            f"alerts: {len(found['alerts'])}",
            flush=True,
        )
        if found["golds"]:
            print(
                f"   looks take {100 * found['looks']:.0f} % of what learning takes; gold at them: "
                f"{', '.join(map(str, found['golds']))}",
                flush=True,
            )
        for step, rule, sentence in found["alerts"]:
            print(f"   step {step} {rule}: {sentence}", flush=True)


if __name__ == "__main__":
    main()
