"""The verbs about the feedback store itself: label serves its app, runs verify checks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from humanalign.errors import ConfigError, StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.settings import LabelConfig, VerifyConfig
from humanalign.web.serve import label as serve


def label(config: LabelConfig, place: Path, progress: object = None) -> Mapping:
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
    return {"address": address, "store": config.store}


def verify(config: VerifyConfig, place: Path, progress: object = None) -> Mapping:
    """Check both hash chains and every text. StoreError names the first damaged row."""
    del config, progress
    name = str(place).replace(":/", "://", 1) if ":/" in str(place) else str(place)
    if name in ("", "."):
        raise ConfigError("name the store to check: humanalign runs verify STORE")
    if "://" not in name and not place.exists():
        raise StoreError(f"feedback store {name} does not exist; check its path")
    store = FeedbackStore(name)
    return {"store": name, "answers": store.verify(), "audited": store.audit.verify()}
