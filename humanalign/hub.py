"""Where a model lives: a hub name, a directory, a finished run, or the bundled tiny-instruct."""

from __future__ import annotations

import json
import logging
import socket
from functools import cache
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import getproxies

from humanalign.errors import DataError
from humanalign.run import Run

BUNDLED = {"tiny-instruct": Path(__file__).parent / "tiny" / "weights"}
TOKENIZER_FILES = (
    "tokenizer.json",
    "spiece.model",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
)


def locate(name: str | Path) -> str:
    """The directory or hub name that from_pretrained understands.

    A finished run stands for the policy it trained. DataError: a path that is not a model.
    """
    if str(name) in BUNDLED:
        return str(BUNDLED[str(name)])
    path = Path(name)
    if (path / "run.json").exists():
        Run.parent(path)
        return str(_policy_of(path))
    if path.is_dir():
        if not any((path / f).exists() for f in ("config.json", "adapter_config.json")):
            raise DataError(f"{path} holds no model (config.json is missing); check the path")
        return str(path)
    if path.is_absolute() or str(name).startswith((".", "~")) or str(name).count("/") > 1:
        raise DataError(f"model directory {path} does not exist; check the path")
    return str(name)


def base_of_adapter(path: str) -> str | None:
    """The name of the model that the adapter in `path` was trained on; None for a whole model."""
    config = Path(path) / "adapter_config.json"
    if not config.exists():
        return None
    return json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]


def require_tokenizer(path: str) -> None:
    """DataError when a local model directory came without its tokenizer."""
    folder = Path(path)
    if not folder.is_dir():
        ask_cache_if_offline()
    elif not any((folder / f).exists() for f in TOKENIZER_FILES):
        raise DataError(
            f"{folder} holds a model without a tokenizer (no {' or '.join(TOKENIZER_FILES[:3])}); "
            "copy the tokenizer's files of the model it came from into it"
        )


@cache
def ask_cache_if_offline() -> None:
    """Without a connection, let the hub's libraries read their cache at once.

    Left alone they try for half a minute and say so on stderr, five times a file. A proxy does
    its own name look-up, so behind one nothing is concluded.
    """
    import huggingface_hub  # slow to import; only hub names need it

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    url = urlparse(huggingface_hub.constants.ENDPOINT)
    if url.scheme in getproxies():
        return
    try:
        socket.create_connection((url.hostname or "", url.port or 443), timeout=5).close()
    except OSError:
        huggingface_hub.constants.HF_HUB_OFFLINE = True


def _policy_of(run: Path) -> Path:
    for folder in ("policy", "model"):
        if (run / folder).is_dir():
            return run / folder
    raise DataError(f"{run} trained no policy; name a run of 'align' or 'sft'")
