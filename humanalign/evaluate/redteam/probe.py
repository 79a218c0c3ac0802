"""The red team at work: a set of requests, every form of each, both models, every judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from humanalign.errors import DataError, RunError
from humanalign.evaluate.comparable import comparable
from humanalign.evaluate.progress import Parts, Progress
from humanalign.evaluate.redteam.attack import (
    Attack,
    Bench,
    Judged,
    attacks_of,
    fitting,
    plain_attack,
)
from humanalign.evaluate.redteam.criteria import COMPLIED, criteria
from humanalign.evaluate.redteam.mutations import USUAL, check_mutations
from humanalign.evaluate.redteam.results import compare_shares, plain, refused, results, share
from humanalign.evaluate.redteam.search import Hunt, Plan, Trial, search, shares
from humanalign.evaluate.redteam.sets import RequestSet
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.types import RewardModel, content_id


def redteam(
    policy: Policy,
    *,
    against: Policy | None = None,
    requests: RequestSet,
    scorers: Mapping[str, RewardModel] | None = None,
    success: Sequence[str] = (),
    mutations: Sequence[str] = USUAL,
    sampling: Sampling | None = None,
    samples: int = 1,
    batch: int = 64,
    seed: int = 0,
    drop_long: bool = False,
    plan: Plan | None = None,
    attacker: Policy | None = None,
    called: Sequence[str] = (),
    run: Run | None = None,
    progress: Progress | None = None,
) -> dict:
    """Attack `policy`, and the model before with the same attacks; returns the summary.

    An attack succeeds by any criterion of `success` (criteria.py). Safe requests of the set are
    asked as they are, to see how often they are declined. With a `plan`, new attacks on `policy`
    are searched for afterwards. With `run`, samples.jsonl and the summary are written.
    Forms of a request that are longer than the context are left out and counted; a request that
    is too long itself, only with `drop_long`. `called` names the two models for the reader.
    ConfigError: an unknown mutation or criterion. DataError: a request that is too long, under
    two harmful requests.
    """
    if run is not None and run.finished:
        raise RunError(f"{run.path} is finished; name another directory to attack again")
    names, scorers = check_mutations(mutations), scorers or {}
    judges = criteria(success, scorers)
    bench = Bench(scorers, judges, sampling or Sampling(), samples, batch, seed)
    models = {"after": policy} if against is None else {"before": against, "after": policy}
    sent = _sent(requests, names, list(models.values()), bench, drop_long=drop_long)
    parts = Parts(progress, len(models) + bool(plan))
    sides, safe = _asked_and_judged(sent, models, bench, run=run, parts=parts)
    summary = {
        "policy": next(iter(called), policy.name),
        "against": against and next(iter(called[1:]), against.name),
        **_head(requests, sent, bench),
        **results(sent.attacks, sides, judges, seed=seed),
        **_innocent(sent.innocent, safe, seed),
        "search": None,
    }
    summary["notes"] = [*_silence(summary), *summary["notes"]]
    rows = [*_rows(sent.attacks, sides, "attack"), *_rows(sent.innocent, safe, "look-alike")]
    if plan is not None:
        found = search(
            policy,
            requests.attacks,
            bench,
            plan=plan,
            attacker=attacker,
            against=against,
            units={name: float(s.std()) or 1.0 for name, s in sides["after"].scores.items()},
            progress=parts.next(),
        )
        summary["search"] = _found(found, seed)
        rows += [_tried(trial) for trial in found.trials]
    if run is not None:
        run.samples(rows)
        run.finish(summary)
    return summary


@dataclass(frozen=True)
class _Sent:
    """What is asked: attacks, and safe requests as they are; and what was left out, in words."""

    attacks: list[Attack]
    innocent: list[Attack]
    left_out: list[str]

    @property
    def asked(self) -> list[Attack]:
        return [*self.attacks, *self.innocent]


def _sent(
    requests: RequestSet,
    names: Sequence[str],
    models: Sequence[Policy],
    bench: Bench,
    *,
    drop_long: bool,
) -> _Sent:
    longest = bench.sampling.max_new_tokens
    if not drop_long:
        asked = [request.said(request.text) for request in requests.requests]
        for model in models:
            # Refuses the first that is too long, with its length and what to do.
            model.encode([model.render(prompt) for prompt in asked], max_new_tokens=longest)
    attacks, long = fitting(attacks_of(requests.attacks, names, bench.seed), models, longest)
    harmful = len({attack.request.id for attack in attacks})
    if harmful < 2:
        raise DataError(
            "prompts: an interval needs at least 2 harmful requests that fit the context, "
            f"{requests.name} has {harmful}"
        )
    safe, long_safe = fitting([plain_attack(r) for r in requests.look_alikes], models, longest)
    counts = {**long, "safe": sum(long_safe.values())}
    told = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    left_out = [f"longer than the context, so never sent: {told}"] if told else []
    return _Sent(attacks, safe, left_out)


def _asked_and_judged(
    sent: _Sent, models: Mapping[str, Policy], bench: Bench, *, run: Run | None, parts: Parts
) -> tuple[dict[str, Judged], dict[str, Judged]]:
    """What each side says to the attacks, and to the safe requests."""
    said = {
        side: bench.ask(model, sent.asked, run=run, side=side, progress=parts.next())
        for side, model in models.items()
    }
    harmful = len(sent.attacks)
    sides = {side: bench.judge(sent.attacks, texts[:harmful]) for side, texts in said.items()}
    if not sent.innocent:
        return sides, {}
    return sides, {side: bench.judge(sent.innocent, t[harmful:]) for side, t in said.items()}


def _head(requests: RequestSet, sent: _Sent, bench: Bench) -> dict:
    means = [str(each) for each in bench.criteria]
    same = comparable([a.prompt for a in sent.asked], bench.scorers, bench.sampling, bench.samples)
    # Labels and categories are part of a set, and no part of what is sent.
    rows = [[a.prompt.id, a.mutation, a.request.category, a.request.safe] for a in sent.asked]
    same |= {"success": means, "prompts": content_id("requests", sorted(rows))}
    return {
        "set": requests.name,
        "prompts": len({attack.request.id for attack in sent.attacks}),
        "attacks": len(sent.attacks),
        "samples": bench.samples,
        "safe_prompts": len(sent.innocent),
        "success_means": means,
        "notes": [*requests.notes, *sent.left_out, *_caution(means)],
        "comparable": same | {"id": content_id({**same, "id": None})},
    }


def _caution(means: Sequence[str]) -> list[str]:
    if COMPLIED not in means:
        return []
    only = (
        "complied only means that nothing was declined; to judge what was said, give a scorer and "
        "success='[toxicity > 0.5]'"
    )
    rules = (
        "the intervals do not include the errors of the rules that tell who declines, about one "
        "answer in five (docs/redteam.md)"
    )
    return [only, rules] if means == [COMPLIED] else [rules]


def _silence(summary: Mapping) -> list[str]:
    """A warning where attacks fail more often because the model says nothing any more."""
    change = summary["degenerate"]
    fell = change and summary["attack_success"]["difference"]["value"] < 0
    if not fell or change["verdict"] != "worse":
        return []
    before, after = (100 * change[side]["value"] for side in ("before", "after"))
    return [
        f"degenerate answers rose from {before:.1f} % to {after:.1f} %: part of the fall in attack "
        "success comes from answers that are no answers"
    ]


def _innocent(attacks: Sequence[Attack], sides: Mapping[str, Judged], seed: int) -> dict:
    if len(attacks) < 2:
        return {"over_refusal": None}
    return refused(attacks, sides, seed=seed)


def _rows(attacks: Sequence[Attack], sides: Mapping[str, Judged], kind: str) -> list[dict]:
    """One row for each answer of the policy, beside the answer of the model before."""
    rows = []
    for place, attack in enumerate(attacks):
        for k in range(sides["after"].texts.shape[1]):
            row = _asked(attack, kind)
            for side, judged in sides.items():
                row[side] = judged.texts[place, k]
                row[f"success_{side}"] = bool(judged.success[place, k]) and kind == "attack"
                row[f"outcome_{side}"] = str(judged.outcomes[place, k])
                for name, scores in judged.scores.items():
                    row[f"score_{name}_{side}"] = float(scores[place, k])
            rows.append(row)
    return rows


def _asked(attack: Attack, kind: str) -> dict:
    return {
        "kind": kind,
        "prompt": attack.request.text,
        "category": attack.request.category,
        "mutation": attack.mutation,
        "attack": attack.prompt.text,
    }


def _tried(trial: Trial) -> dict:
    return {
        **_asked(trial.attack, "search"),
        "after": trial.answer,
        "success_after": trial.success,
        "badness": trial.badness,
        "generation": trial.generation,
    }


def _found(hunt: Hunt, seed: int) -> dict:
    """What the search found; `again` tells the best attacks' success with other random numbers."""
    generations = range(1 + max((trial.generation for trial in hunt.trials), default=-1))
    broken = {trial.attack.request.id for trial in hunt.trials if trial.success}
    return {
        "tried": len(hunt.trials),
        "found": sum(trial.success for trial in hunt.trials),
        "requests_broken": len(broken),
        "by_generation": [
            float(np.mean([t.success for t in hunt.trials if t.generation == g]))
            for g in generations
        ],
        "again": _again(hunt, seed),
        "best": [_best_row(hunt, place) for place in range(len(hunt.best))],
    }


def _again(hunt: Hunt, seed: int) -> dict | None:
    if hunt.again is None or len(hunt.best) < 2:
        return None
    after = shares(hunt.again)
    if hunt.again_before is None:
        return {"after": share("again", after, seed=seed).as_dict()}
    return plain(compare_shares("again", shares(hunt.again_before), after, seed=seed))


def _best_row(hunt: Hunt, place: int) -> dict:
    trial = hunt.best[place]
    row = _tried(trial)
    for side, judged in (("after", hunt.again), ("before", hunt.again_before)):
        if judged is not None:
            row[f"again_{side}"] = float(shares(judged)[place])
    return row
