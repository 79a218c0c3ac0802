"""How fast a step could be on this machine: arithmetic over measured rates.

`python -m bench.floor FOLDER ROWS RESPONSE EPOCHS LORA THREADS` prints JSON. A forward pass costs
2 x parameters x tokens floating-point operations; forward and backward 3 times that, twice where
only adapters learn (the frozen weights need no gradient of their own). The vocabulary head counts
at response positions only, attention scores not at all. A decoding step takes what is larger: its
operations, or reading weights and cache once. Sampling, softmax, the optimizer and Python count
nothing, so the floor is out of reach; it says how far away a loop is.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import AutoConfig

from bench.scorers import load_tokenizer

BYTES = 4  # float32


@dataclass(frozen=True)
class Rates:
    """flops: float32 multiply-adds x 2 per second of torch.mm; bandwidth: bytes per second."""

    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Sizes:
    """Parameters that a token passes: encoder (0 where there is none), decoder, vocabulary head.

    cache: floats of keys and values that one position adds, over all layers.
    """

    encoder: int
    decoder: int
    head: int
    cache: int


def measure(seconds: float = 1.0) -> Rates:
    """The best of many repetitions: what others do on the machine only takes away from it."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    mm = _best(lambda: torch.mm(a, b), seconds)
    source = torch.randn(64 * 2**20)  # 256 MB, far beyond the caches
    target = torch.empty_like(source)
    copy = _best(lambda: target.copy_(source), seconds)
    return Rates(2 * 1024**3 / mm, 2 * BYTES * source.numel() / copy)


def _best(action: Callable[[], object], seconds: float) -> float:
    best, end = float("inf"), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - began)
    return best


def sizes(folder: Path) -> Sizes:
    """From the configuration; embeddings are looked up, not multiplied, and biases left out."""
    c = AutoConfig.from_pretrained(folder / "policy")
    head = c.vocab_size * c.hidden_size
    if c.model_type == "t5":
        attention = 4 * c.d_model * c.num_heads * c.d_kv
        ff = 2 * c.d_model * c.d_ff
        layers = c.num_layers
        cache = 2 * layers * c.num_heads * c.d_kv
        return Sizes(layers * (attention + ff), layers * (2 * attention + ff), head, cache)
    if c.model_type == "gpt2":
        return Sizes(0, 12 * c.n_layer * c.n_embd**2, head, 2 * c.n_layer * c.n_embd)
    key = c.num_key_value_heads * c.head_dim
    layer = 2 * c.hidden_size**2 + 2 * c.hidden_size * key + 3 * c.hidden_size * c.intermediate_size
    return Sizes(0, c.num_hidden_layers * layer, head, 2 * c.num_hidden_layers * key)


@dataclass(frozen=True)
class Floor:
    """Seconds, as in bench.side.Report. rollout: sampling, and the reference's forward pass."""

    rollout: float
    score: float
    update: float
    flops: float
    bandwidth: float

    @property
    def step(self) -> float:
        return self.rollout + self.score + self.update


def floor(s: Sizes, rates: Rates, batch: dict[str, int]) -> Floor:
    """`batch`: rows, prompt and response tokens, epochs, and the adapter's rank."""
    rows, prompt, response = batch["rows"], batch["prompt"], batch["response"]
    body = s.encoder * prompt + s.decoder * (response if s.encoder else prompt + response)
    whole = 2 * rows * (body + s.head * response) / rates.flops
    read = 2 * rows * prompt * (s.encoder or s.decoder) / rates.flops
    decoding = sum(_decoding_step(s, rates, rows, prompt + t) for t in range(response))
    factor = 2 if batch["lora"] else 3
    return Floor(
        rollout=read + decoding + whole,
        score=2 * rows * body / rates.flops,
        update=factor * batch["epochs"] * whole,
        flops=rates.flops,
        bandwidth=rates.bandwidth,
    )


def _decoding_step(s: Sizes, rates: Rates, rows: int, positions: int) -> float:
    weights = s.decoder + s.head
    read = BYTES * (weights + rows * positions * s.cache) / rates.bandwidth
    return max(read, 2 * rows * weights / rates.flops)


def main(folder: str, *numbers: str) -> None:
    rows, response, epochs, lora, threads = map(int, numbers)
    torch.set_num_threads(threads)
    place = Path(folder)
    prompts = json.loads((place / "prompts.json").read_text(encoding="utf-8"))
    tokens = [len(ids) for ids in load_tokenizer(place)(prompts).input_ids]
    batch = {
        "rows": rows,
        "prompt": round(sum(tokens) / len(tokens)),
        "response": response,
        "epochs": epochs,
        "lora": lora,
    }
    print(json.dumps(asdict(floor(sizes(place), measure(), batch))))


if __name__ == "__main__":
    main(*sys.argv[1:])
