"""The key-value cache of the decoding loop: allocated once, shrunk when rows finish.

transformers' own dynamic cache concatenates keys and values anew for every token, which copies
the whole cache once a token; here a token is written into its place. Letters: B rows, H heads,
S positions, D size of a head.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, EncoderDecoderCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """One layer's keys and values [B, H, S, D] as views of buffers with room for `capacity`."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.length = capacity, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self._keys = _room(key_states, self.capacity)
        self._values = _room(value_states, self.capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        """Write the new positions behind the old ones; both are returned together."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        self._keys[:, :, self.length : end] = key_states
        self._values[:, :, self.length : end] = value_states
        self.length = end
        return self._look()

    def get_seq_length(self) -> int:
        return self.length

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows only; the others' room is given back."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._look()

    def _look(self) -> tuple[Tensor, Tensor]:
        keys, values = self._keys[:, :, : self.length], self._values[:, :, : self.length]
        self.keys, self.values = keys, values
        return keys, values


def causal_cache(config: PretrainedConfig, capacity: int) -> Cache:
    """A cache for `capacity` positions; transformers' own where layers are not all alike."""
    theirs = DynamicCache(config=config)
    if any(type(layer) is not DynamicLayer for layer in theirs.layers):
        return theirs  # sliding windows and recurrent states keep their own books
    return _roomy(capacity)


def encoder_decoder_cache(capacity: int) -> EncoderDecoderCache:
    """Room for `capacity` answer tokens; keys and values of the prompt are computed once."""
    return EncoderDecoderCache(_roomy(capacity), DynamicCache())


def keep_rows(cache: Cache | EncoderDecoderCache, rows: Tensor) -> None:
    """Shrink the cache to these rows."""
    parts = [cache]
    if isinstance(cache, EncoderDecoderCache):
        parts = [cache.self_attention_cache, cache.cross_attention_cache]
    for part in parts:
        part.batch_select_indices(rows)


def _roomy(capacity: int) -> Cache:
    layer = partial(RoomyLayer, capacity)
    return Cache(layer_class_to_replicate=layer)  # type: ignore[arg-type]


def _room(states: Tensor, capacity: int) -> Tensor:
    shape = (*states.shape[:-2], capacity, states.shape[-1])
    return torch.empty(shape, dtype=states.dtype, device=states.device)
