"""One timed fit of humanalign: `python -m bench.reward_speed_ours JOB.json`."""

from __future__ import annotations

from bench.reward_speed_side import Clock, Job, read_job, write_report
from humanalign.reward.fit import fit_reward
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.types import PreferencePair


def pairs(job: Job, part: str) -> list[PreferencePair]:
    rows = job.rows(part)
    return [PreferencePair(row["prompt"], row["chosen"], row["rejected"]) for row in rows]


def main() -> None:
    job = read_job()
    clock = Clock()
    train, test = pairs(job, "train"), pairs(job, "test")
    prompts, chosen = [p.prompt for p in test], [p.chosen for p in test]
    start = LearnedReward.start(job.model, pooling="native", max_tokens=job.max_tokens)
    before = start.raw_scores(prompts, chosen)
    recipe = Recipe(
        lr=job.lr,
        epochs=job.epochs,
        batch=job.batch,
        max_tokens=job.max_tokens,
        pooling="native",
        dropout=0.1 if job.dropout else 0.0,
        weight_decay=0.01,
        precision=job.precision,
    )
    reward = fit_reward(
        job.model, train, test, recipe=recipe, seed=job.seed, progress=lambda *_: clock.tick()
    )
    rejected = reward.score(prompts, [p.rejected for p in test])
    gaps = [a - b for a, b in zip(reward.score(prompts, chosen), rejected, strict=True)]
    write_report(job, clock, before=before, gaps=gaps)


if __name__ == "__main__":
    main()
