"""`redteam`: what adversarial prompts get out of a model, before and after it is aligned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.collect.prompts import is_file
from humanalign.errors import ConfigError
from humanalign.evaluate.redteam.criteria import criteria
from humanalign.evaluate.redteam.mutations import USUAL, check_mutations
from humanalign.evaluate.redteam.probe import redteam as probe
from humanalign.evaluate.redteam.search import Plan
from humanalign.evaluate.redteam.sets import (
    RequestSet,
    has_requests,
    narrowed,
    own_requests,
    read_requests,
    requests_of,
)
from humanalign.reward.sources import resolve
from humanalign.settings import RedteamConfig
from humanalign.settings.redteam import SearchSettings
from humanalign.tiny.attacks import world_requests
from humanalign.verbs.inputs import (
    Progress,
    begun,
    data_file,
    open_run,
    read_prompts,
    reward_runs,
    sampling_of,
)

BUNDLED = ("own", "tiny")
# Dialogues of the bundled world that are asked about where no limit is given.
WORLD = 200


def redteam(config: RedteamConfig, place: Path, progress: Progress = None) -> Mapping:
    """Attack a model, and the one before with the same attacks; say how often each gave way."""
    for key, why in _idle(config):
        raise ConfigError(f"{key}: {why}")
    run = begun("redteam", config, place)
    if run and run.finished:
        return run.summary
    mutations = check_mutations(USUAL if config.mutations is None else config.mutations)
    criteria(config.success, config.scorers)
    requests = _requests(config)
    scorers = {name: resolve(spec) for name, spec in config.scorers.items()}
    policy = load_policy(config.model)
    against = load_policy(config.against) if config.against else None
    attacker = load_policy(config.search.attacker) if config.search.attacker else None
    names = [config.model, config.against or "", config.search.attacker or ""]
    names += [run for spec in config.scorers.values() for run in reward_runs(spec)]
    run = open_run("redteam", config, place, parents=[name for name in names if name])
    with run.unless_mistaken():
        probe(
            policy,
            against=against,
            requests=requests,
            scorers=scorers,
            success=config.success,
            mutations=mutations,
            sampling=sampling_of(config, config.sampling.top_k, config.sampling.top_p),
            samples=config.samples,
            batch=config.batch,
            seed=config.seed,
            drop_long=config.long_prompts == "drop",
            plan=_plan(config, mutations),
            attacker=attacker,
            called=[config.model, *([config.against] if config.against else [])],
            run=run,
            progress=progress,
        )
    return run.summary


def _idle(config: RedteamConfig) -> Iterator[tuple[str, str]]:
    """The keys that were given and would do nothing, each with the reason."""
    named, wanted, usual = config.prompts or "own", config.search, SearchSettings()
    for key in ("template", "split", "opening", "category") if named in BUNDLED else ():
        if getattr(config, key):
            yield key, f"prompts={named} has its own; give prompts=FILE or leave {key} out"
    if config.reference != RedteamConfig.model_fields["reference"].default:
        yield "reference", "no answer is compared with a reference; leave it out"
    if named == "tiny" and config.frame:
        yield "frame", "the requests of prompts=tiny have frames of their own; leave it out"
    for key in SearchSettings.model_fields:
        if not wanted.budget and getattr(wanted, key) != getattr(usual, key):
            yield f"search.{key}", "nothing is searched for; give search.budget=320, say"
    if not wanted.attacker and wanted.suffix_tokens != usual.suffix_tokens:
        yield "search.suffix_tokens", "nobody adds words; give search.attacker=MODEL"


def _plan(config: RedteamConfig, mutations: tuple[str, ...]) -> Plan | None:
    wanted = config.search
    if not wanted.budget:
        return None
    return Plan(
        budget=wanted.budget,
        keep=wanted.keep,
        method=wanted.method,
        mutations=mutations,
        suffix_tokens=wanted.suffix_tokens,
        seed=config.seed,
    )


def _requests(config: RedteamConfig) -> RequestSet:
    """The requests that the settings name, as many as they want."""
    limit, source = config.limit, config.prompts
    if source in (None, "own"):
        found = own_requests()
    elif source == "tiny":
        found, limit = world_requests(limit or WORLD, config.seed), None
    else:
        found = _from_file(config, str(source))
    # A shell passes the two characters \n on; in a frame they can only mean a new line.
    frame = config.frame.replace("\\n", "\n") if config.frame else None
    return narrowed(
        found, per_category=config.per_category, limit=limit, frame=frame, seed=config.seed
    )


def _from_file(config: RedteamConfig, source: str) -> RequestSet:
    """A set that is known by its columns; any other prompts as collect reads them."""
    plain = config.template or config.split or config.opening or not is_file(source)
    if not plain:
        file = data_file(source, "prompts")
        if has_requests(file):
            return read_requests(file, category=config.category)
    whole = config.model_copy(update={"limit": None})
    return requests_of(read_prompts(whole), Path(source).name, category=config.category)
