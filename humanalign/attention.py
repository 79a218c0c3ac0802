"""Which attention a forward takes: the fused kernel, or plain products where those are faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

# Plain products keep a score for each pair of positions; beyond this many they cost memory.
SHORT = 256


@contextmanager
def plain_attention(hf: PreTrainedModel, *, when: bool = True) -> Iterator[None]:
    """On a CPU the fused kernel takes several times as long for a single query, and falls back to
    a slow path under T5's learned position bias; there, plain products are better.
    """
    before = hf.config._attn_implementation
    if not when or hf.device.type != "cpu" or before != "sdpa":
        yield
        return
    hf.set_attn_implementation("eager")
    try:
        yield
    finally:
        hf.set_attn_implementation(before)
