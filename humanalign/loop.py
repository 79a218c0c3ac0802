"""Round after round: the policy of round n answers the prompts of round n + 1.

One feedback store serves all rounds, so judgements add up: each round collects answers of the
newest policy, has them ranked, fits the reward anew on every pair so far, aligns and evaluates.
A policy is promoted only when no scorer shows it to be worse than the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from humanalign.config import Settings, build
from humanalign.console import stage
from humanalign.errors import ConfigError
from humanalign.evaluate.report.page import report
from humanalign.rows import read_rows, write_rows
from humanalign.run import write_text
from humanalign.settings import (
    AlignConfig,
    CollectConfig,
    EvaluateConfig,
    LoopConfig,
    PreferConfig,
    RewardConfig,
    RoundSettings,
)
from humanalign.verbs import answering, evaluating, judging, training


@dataclass(frozen=True)
class Round:
    """One round's folder, the model it starts from, and the prompt files of its three uses."""

    out: Path
    model: str
    ranked: Path
    trained: Path
    tested: Path
    store: Path
    seed: int = 0

    def configs(self, own: RoundSettings) -> dict[str, Settings]:
        """The settings of each stage: what the round decides, then what the user set."""
        reward, aligned = self.out / "reward", self.out / "align"
        scorers = {"reward": f"run:{reward}"} | dict(own.scorers)
        seed = {"seed": self.seed}
        asked = {"model": self.model, "prompts": str(self.ranked), "store": str(self.store)}
        learned = {"model": self.model, "prompts": str(self.trained), "reward": f"run:{reward}"}
        tested = {"model": str(aligned), "against": self.model, "prompts": str(self.tested)}
        return {
            "collect": build(CollectConfig, {**asked, **seed, **own.collect}),
            "prefer": build(PreferConfig, {"store": str(self.store), **seed, **own.prefer}),
            "reward": build(
                RewardConfig, {"pairs": str(self.out / "prefer"), **seed, **own.reward}
            ),
            "align": build(AlignConfig, {**learned, **seed, **own.align}),
            "evaluate": build(
                EvaluateConfig, {**tested, "scorers": scorers, **seed, **own.evaluate}
            ),
        }


STAGES = {
    "collect": answering.collect,
    "prefer": judging.prefer,
    "reward": training.reward,
    "align": training.align,
    "evaluate": evaluating.evaluate,
}


def play(this: Round, own: RoundSettings) -> dict[str, Mapping]:
    """Run (or resume) the five stages of a round; stage -> its summary."""
    configs = this.configs(own)
    results: dict[str, Mapping] = {}
    for name, perform in STAGES.items():
        with stage(f"{this.out.name}/{name}") as progress:
            results[name] = perform(configs[name], this.out / name, progress)  # type: ignore[operator]
    return results


def worse(evaluated: Mapping) -> list[str]:
    """The metrics whose interval shows the new policy to be worse than the one before."""
    found: list[str] = []
    for name, told in evaluated.items():
        if isinstance(told, Mapping):
            # Scorers and quality stand in groups of their own.
            found += [name] if told.get("verdict") == "worse" else worse(told)
    return found


def loop(config: LoopConfig, place: Path, progress: object = None) -> Mapping:
    """Run `rounds` rounds in `out`; returns each round's summary and the promoted model."""
    del place, progress
    out = Path(config.out)
    model = config.model
    rounds = []
    for number in range(1, config.rounds + 1):
        this = _round(config, out, number, model)
        results = play(this, config.round)
        regressions = worse(results["evaluate"])
        promoted = not regressions
        if promoted:
            model = str(this.out / "align")
        rounds.append(_row(number, promoted, regressions, results))
        write_text(out / "promoted", f"{model}\n")
        report(this.out)
    return {"rounds": rounds, "model": model}


def _round(config: LoopConfig, out: Path, number: int, model: str) -> Round:
    """Each round ranks answers to prompts of its own; all of them are trained on."""
    folder = out / f"round-{number}"
    rows = read_rows(config.prompts)
    share = len(rows) // config.rounds
    if share < 2:
        raise ConfigError(
            f"prompts: {len(rows)} rows are too few for rounds={config.rounds}; give at least "
            f"{2 * config.rounds}"
        )
    ranked = folder / "prompts.ranked.jsonl"
    write_rows(ranked, rows[(number - 1) * share : number * share])
    return Round(
        out=folder,
        model=model,
        ranked=ranked,
        trained=Path(config.prompts),
        tested=Path(config.test_prompts),
        store=out / "feedback.db",
        seed=config.seed + number - 1,
    )


def _row(number: int, promoted: bool, regressions: list[str], results: Mapping) -> dict:
    evaluated = results["evaluate"]
    return {
        "round": number,
        "promoted": promoted,
        "worse": regressions,
        "rankings": results["prefer"]["rankings"],
        "accuracy": results["reward"]["accuracy"],
        **{k: v["after"] for k, v in evaluated.items() if isinstance(v, Mapping) and "after" in v},
    }
