"""The verbs about the feedback store itself: label, pairs (files in and out) and runs verify.

Nothing here imports torch, so the labelling server starts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from humanalign.errors import ConfigError, StoreError, did_you_mean
from humanalign.prefer.files.exports import EXPORTS, export_file
from humanalign.prefer.files.formats import WRITERS, read_pairs, write_pairs
from humanalign.prefer.files.judgements import Judgements, asked_as
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.marks import RANKED
from humanalign.prefer.pairs import prompt_split
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.database import shown
from humanalign.prefer.store.projects import Project, ProjectSettings
from humanalign.settings import LabelConfig, PairsConfig, VerifyConfig
from humanalign.web.serve import label as serve

Progress = object


def label(config: LabelConfig, place: Path, progress: Progress = None) -> Mapping:
    """Serve the labelling app over a store until it is stopped."""
    del place, progress
    address = serve(
        config.store,
        host=config.host,
        port=config.port,
        workers=config.workers,
        names=tuple(config.names),
        https=config.https,
    )
    return {"address": address, "store": shown(config.store)}


def pairs(config: PairsConfig, place: Path, progress: Progress = None) -> Mapping:
    """Export the store's judgements, convert a pairs file, or take in a file of judgements."""
    del place, progress
    if config.judgements:
        return _take_in(config)
    if not config.out:
        raise ConfigError("out is required; give out=FILE.jsonl")
    known = (*WRITERS, *EXPORTS)
    if config.format not in known:
        hint = did_you_mean(config.format, known)
        raise ConfigError(
            f"format: expected one of {', '.join(known)}, got '{config.format}'{hint}"
        )
    if config.pairs:
        found = read_pairs(config.pairs)
    elif config.format in WRITERS and not config.project:
        found = existing(_store_of(config)).pairs(
            config.split,
            config.consensus or "borda",
            ties=config.ties,
            rejects=config.rejected,
        )
    else:
        return _export(config, config.out)
    path = write_pairs(found, config.out, format=config.format)
    return {"pairs": len(found), "file": str(path)}


def verify(config: VerifyConfig, place: Path, progress: Progress = None) -> Mapping:
    """Check both hash chains and every text. StoreError names the first damaged row."""
    del config, progress
    name = str(place)
    if name in ("", "."):
        raise ConfigError("name the store to check: humanalign runs verify STORE")
    # A path has lost one of the slashes of a URL.
    store = existing(name.replace(":/", "://", 1) if "://" not in name else name)
    return {"store": shown(store.url), "answers": store.verify(), "audited": store.audit.verify()}


def existing(name: str) -> FeedbackStore:
    """A store to read from: a file that is not there is a mistake, not an empty store."""
    file = name.removeprefix("sqlite:///")
    if "://" not in file and not Path(file).exists():
        raise StoreError(f"feedback store {name} does not exist; check store=, or collect first")
    return FeedbackStore(name)


def _take_in(config: PairsConfig) -> Mapping:
    """Judgements, or answers to be judged, into a project of the store; it is made if need be."""
    file = str(config.judgements)
    found = read_judgements(file, layout=config.layout, criterion=config.criterion)
    store = FeedbackStore(_store_of(config))
    project = _project(store, found, config.project or Path(file).name.split(".")[0])
    found = asked_as(found, project.kind)
    taken = store.take_in(project.id, found, overlap=config.overlap, by="command line")
    return {"project": project.name, "layout": found.layout, **asdict(taken)} | (
        {"left out": list(found.left_out)} if found.left_out else {}
    )


def _project(store: FeedbackStore, found: Judgements, name: str) -> Project:
    known = store.projects.named(name)
    if known is not None:
        return known
    first = found.questions[0]
    return store.projects.create(
        name,
        first.kind,
        first.criterion,
        settings=ProjectSettings(scale=max(2, found.scale)),
        by="command line",
    )


def _export(config: PairsConfig, out: str) -> Mapping:
    """One project's answers, or a consensus of them, in a format of `EXPORTS`."""
    store = existing(_store_of(config))
    named = {each.name: each for each in store.projects.all()}
    name = config.project or (next(iter(named)) if len(named) == 1 else "")
    if name not in named:
        known = ", ".join(named) or "none"
        hint = did_you_mean(name, named)
        raise ConfigError(f"project: name one of {known}, got '{name}'{hint}")
    project = named[name]
    if config.consensus in (None, "none") or project.kind not in RANKED:
        records = store.records(project.id, revisions=EXPORTS[config.format].revisions)
    else:
        version = store.agreed.make(project.id, config.consensus, by="command line")
        records = store.consensus_records(project.id, version.number)
    if config.split:
        records = (each for each in records if prompt_split(each.prompt) == config.split)
    file = export_file(config.format, records, out, ties=config.ties, rejects=config.rejected)
    return {"project": name, "file": str(file)}


def _store_of(config: PairsConfig) -> str:
    if not config.store:
        raise ConfigError("give store=FILE to export, or pairs=FILE to convert")
    return config.store
