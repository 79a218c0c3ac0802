"""The verbs around judgements: prefer, judge and revise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.errors import ConfigError, StoreError
from humanalign.prefer.constitution import Principle, load_constitution
from humanalign.prefer.judge import judge as judge_comparisons
from humanalign.prefer.judge import revise as revise_drafts
from humanalign.prefer.pairs import pairs_of, prompt_split
from humanalign.prefer.statistics.consensus import Consensus, consensus
from humanalign.prefer.statistics.habits import Evidence
from humanalign.prefer.statistics.labelers import LabelerReport, labelers
from humanalign.settings import JudgeConfig, PreferConfig, ReviseConfig
from humanalign.types import Ranking, Rater
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)
from humanalign.verbs.labelling import existing
from humanalign.verbs.simulating import simulate


def prefer(config: PreferConfig, place: Path, progress: Progress = None) -> Mapping:
    """Rankings in the store -> who can be relied on -> consensus -> training and held-out pairs."""
    run = begun("prefer", config, place)
    if run and run.finished:
        return run.summary
    store = existing(config.store)
    if config.raters == "simulated":
        simulate(store, config.seed, progress)
    rankings = store.rankings()
    if not rankings:
        raise StoreError(
            f"{config.store} holds no rankings yet; let people rank, or use `humanalign judge`"
        )
    run = open_run("prefer", config, place)
    raters, comparisons = store.raters(), store.comparisons()
    reports = labelers(rankings, raters, comparisons, Evidence(shown=store.shown()))
    agreed: Sequence[Ranking | Consensus] = rankings
    if config.consensus != "none":
        agreed = consensus(
            rankings, method=config.consensus, weights={r.id: r.weight for r in reports}
        )
    texts = store.texts()
    ai = [r.id for r in raters.values() if r.kind != "human"]
    pairs = pairs_of(agreed, texts, ties=config.ties, rejects=config.rejected, ai=ai)
    split = {p.id: prompt_split(p) for p in texts.prompts.values()}
    for part in ("train", "test"):
        rows = [p.as_row() for p in pairs if (split[p.prompt_id] == "train") == (part == "train")]
        run.record(f"pairs.{part}", rows)
    # For the card of the reward: whoever is not to be relied on would make labelers look divided.
    kept = {r.id for r in reports if not r.flagged and r.kind != "model"}
    own = pairs_of([r for r in rankings if r.rater_id in kept], texts, ai=ai, shown=store.shown())
    run.record("judged.test", [p.as_row() for p in own if split[p.prompt_id] != "train"])
    run.finish(
        {
            "rankings": len(rankings),
            "comparisons": len(comparisons),
            "pairs": len(pairs),
            "snapshot": store.snapshot(),
            "labelers": [_labeler_row(r) for r in reports],
        }
    )
    return run.summary


def judge(config: JudgeConfig, place: Path, progress: Progress = None) -> Mapping:
    """A model ranks every comparison in the store by a constitution, in both orders."""
    run = begun("judge", config, place)
    if run and run.finished:
        return run.summary
    store = existing(config.store)
    comparisons = store.comparisons()
    if not comparisons:
        raise StoreError(f"{config.store} holds no comparisons; run `humanalign collect` first")
    principles = _principles(config.constitution, config.principle)
    policy = load_policy(config.model)
    run = open_run("judge", config, place, parents=[config.model])
    rater = Rater(f"model:{config.model}", "model")
    rankings = judge_comparisons(
        policy,
        comparisons,
        store,
        principles,
        rater_id=rater.id,
        progress=progress,
    )
    store.add_rater(rater)
    store.rank_all((ranking, f"{rater.id}/{ranking.comparison_id}") for ranking in rankings)
    run.record("rankings", [asdict(r) for r in rankings])
    run.finish({"rankings": len(rankings), "principles": [p.name for p in principles]})
    return run.summary


def revise(config: ReviseConfig, place: Path, progress: Progress = None) -> Mapping:
    """Draft, critique by a principle, revise; the final answers are demonstrations for sft."""
    run = begun("revise", config, place)
    if run and run.finished:
        return run.summary
    prompts, principles = read_prompts(config), _principles(config.constitution, None)
    policy = load_policy(config.model)
    prompts = fitting(prompts, config, policy, config.max_new_tokens)
    run = open_run("revise", config, place, parents=[config.model])
    rows = revise_drafts(
        policy,
        prompts,
        principles,
        rounds=config.rounds,
        seed=config.seed,
        sampling=sampling_of(config),
        progress=progress,
    )
    run.record("revisions", rows)
    kept = [{"prompt": r["prompt"], "response": r["final"], "source": "ai"} for r in rows]
    run.record("demonstrations", [row for row in kept if row["response"].strip()])
    run.samples(rows)
    changed = sum(r["draft"] != r["final"] for r in rows)
    run.finish({"prompts": len(rows), "changed": changed, "empty_left_out": _empty(kept)})
    return run.summary


def _principles(path: str | None, name: str | None) -> tuple[Principle, ...]:
    principles = load_constitution(path)
    if name is None:
        return principles
    chosen = tuple(p for p in principles if p.name == name)
    if not chosen:
        known = ", ".join(p.name for p in principles)
        raise ConfigError(f"principle: no principle '{name}' in the constitution; it has {known}")
    return chosen


def _labeler_row(report: LabelerReport) -> dict:
    return {
        "id": report.id,
        "kind": report.kind,
        "n": report.n,
        "agreement": report.agreement.as_dict(),
        "tau": report.tau,
        "weight": report.weight,
        "flagged": report.flagged,
        "reason": report.reason,
    }


def _empty(rows: list[dict]) -> int:
    return sum(not row["response"].strip() for row in rows)
