"""Read a padded batch without its padding: the rows one after the other in a single long row.

Letters: B rows, T places of the padded batch, N tokens that are really read, D hidden size.
Padding costs as much as text: a batch of unequal rows spends half its time on it. Here linear
layers see [1, N, D] and attention looks at one row's tokens at a time, without a mask
(Krell et al. 2021, arXiv 2107.02027). Answers to one prompt share it (`shared_prompt`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.modeling_outputs import BaseModelOutput

from humanalign.reward.shared_prompt import WORTH, Prefix, shared_prefixes

# The attention that packing takes over, and what it is called then.
USUAL, NAME = "sdpa", "humanalign_packed"
# How far packed and padded states may lie apart on the probe, in units of their largest.
PROBE_TOLERANCE = 1e-4
# A long row is filled up to a multiple of this many tokens: for each length that it has not met,
# oneDNN keeps a kernel with its buffers, and a fit meets thousands.
STEADY = 128
# Arguments of a forward that packing knows; one that asks for anything else is not packed.
PLAIN = {"token_type_ids", "return_dict", "use_cache"}


@dataclass(frozen=True)
class Span:
    """One row's own tokens in the long row, how many, and the prefix that they attend to as well.

    `sees` [own, prefix + own] is True where a token may look; None: no prefix, the usual rule.
    """

    size: int
    prefix: Prefix
    sees: Tensor | None


@dataclass(frozen=True)
class Layout:
    """Where each token of a padded batch is found in the long row.

    kept [N]: places of the flat batch [B * T] that are read; positions [N] within their rows;
    places [B, T]: the token in the long row that belongs there (0 in the padding). Behind a row
    of more than 8 STEADY tokens stands a filler.
    """

    kept: Tensor
    positions: Tensor
    places: Tensor
    spans: list[Span]


def read_without_padding(trunk: PreTrainedModel) -> bool:
    """Make this model's forward pack its batches; False where the architecture cannot.

    Ids and mask come in as before, [B, T], padded on either side, and states go out as before:
    nothing else of the model changes. Whether it can is tried out on two short rows. Its attention
    is named in its config from now on, once and for all, so threads may read at the same time.
    """
    config, packed = trunk.config, _Packed(trunk, trunk.forward)
    before = config._attn_implementation  # models made of one config share it
    if before not in (USUAL, NAME) or getattr(config, "attn_logit_softcapping", None):
        return False
    if not _same_states(trunk, packed):
        config._attn_implementation = before
        return False
    trunk.forward = packed  # type: ignore[method-assign]
    return True


def layout(ids: Tensor, mask: Tensor, *, share: bool) -> Layout:
    """How the rows of ids [B, T], real where mask [B, T] is True, lie in one long row."""
    places_of = [row.nonzero()[:, 0] for row in mask]
    rows = [ids[b, places] for b, places in enumerate(places_of)]
    prefixes = shared_prefixes(rows) if share else [Prefix(b, 0) for b in range(len(rows))]
    places = torch.zeros(mask.shape, dtype=torch.long)
    kept, positions, spans = [], [], []
    starts: list[int] = []
    end = 0
    for b, (found, prefix) in enumerate(zip(places_of, prefixes, strict=True)):
        own = len(found) - prefix.length
        starts.append(end)
        first = starts[prefix.leader]
        shared = torch.arange(first, first + prefix.length)
        places[b, found] = torch.cat([shared, torch.arange(end, end + own)])
        kept.append(b * mask.shape[1] + found[prefix.length :])
        positions.append(torch.arange(prefix.length, len(found)))
        sees = _backwards(own, prefix.length) if prefix.length else None
        spans.append(Span(own, prefix, sees))
        end += own
    fill = -end % STEADY if end > 8 * STEADY else 0
    if fill:  # a row that nobody asks for: the first token of all, over and over
        kept.append(torch.zeros(fill, dtype=torch.long))
        positions.append(torch.zeros(fill, dtype=torch.long))
        spans.append(Span(fill, Prefix(len(rows), 0), None))
    return Layout(torch.cat(kept), torch.cat(positions), places, spans)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    spans: list[Span] | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: object,  # the interface of transformers: what other kinds of attention read
) -> tuple[Tensor, None]:
    """Attention of each span over itself and its prefix: [1, H, N, D/H] -> [1, N, H, D/H].

    In float32 under autocast too: the backward pass in bfloat16 takes three times as long on a CPU.
    Without `spans`: of a padded batch under its mask, as it was before.
    """
    if spans is None:
        others |= {"dropout": dropout, "scaling": scaling}
        states, _ = sdpa_attention_forward(module, query, key, value, mask, **others)  # type: ignore
        return states, None
    causal = _is_causal(module)
    fewer = key.shape[1] != query.shape[1]
    sizes = [span.size for span in spans]
    # Not slices: the gradient of each would be as large as the whole.
    queries, keys, values = (x.float().split(sizes, 2) for x in (query, key, value))
    out = []
    with torch.autocast(query.device.type, enabled=False):
        for own, span in enumerate(spans):
            k, v = keys[own], values[own]
            if span.sees is not None:
                leader, length = span.prefix.leader, span.prefix.length
                k = torch.cat([keys[leader][:, :, :length], k], 2)
                v = torch.cat([values[leader][:, :, :length], v], 2)
            seen = scaled_dot_product_attention(
                queries[own],
                k,
                v,
                attn_mask=span.sees,
                dropout_p=dropout,
                is_causal=causal and span.sees is None,
                scale=scaling,
                enable_gqa=fewer,
            )
            out.append(seen.transpose(1, 2))
    return torch.cat(out, 1).to(value.dtype), None


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
# A mask of four dimensions reaches attention as it is: none is built, and packed rows read none.
NO_MASK = torch.ones(1, 1, 1, 1, dtype=torch.bool)


class _Packed:
    """A trunk's forward on packed rows; what it was not made for goes to the plain forward."""

    def __init__(self, trunk: PreTrainedModel, plain: Callable) -> None:
        self.trunk, self.plain = trunk, plain
        self.share = any(_is_causal(module) for module in trunk.modules())
        self.first = _first_position(trunk)
        self.longest = min(_windows(trunk), default=None)
        self.pooler: Callable[[Tensor], Tensor] | None = getattr(trunk, "pooler", None)
        cached = "use_cache" in inspect.signature(plain).parameters
        self.options = {"use_cache": False} if cached else {}

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **others: object,  # the model's own arguments, which are handed on to it
    ) -> object:
        if input_ids is None or attention_mask is None or self._beyond(attention_mask, others):
            return self.plain(input_ids=input_ids, attention_mask=attention_mask, **others)
        segments = others.get("token_type_ids")
        assert segments is None or isinstance(segments, Tensor)
        return self.read(input_ids, attention_mask.bool(), segments)

    def read(self, ids: Tensor, mask: Tensor, segments: Tensor | None) -> BaseModelOutput:
        """States of ids [B, T] where mask [B, T] is True; segments [B, T] or None."""
        where = layout(ids, mask, share=self.share and segments is None)
        named: dict[str, Tensor] = {"input_ids": ids.flatten()[where.kept][None]}
        named["position_ids"] = where.positions[None] + self.first
        if segments is not None:
            named["token_type_ids"] = segments.flatten()[where.kept][None]
        found = self.plain(**named, **self.options, attention_mask=NO_MASK, spans=where.spans)
        # An embedding, not an index: the gradient of indexing is added up row by row.
        found.last_hidden_state = embedding(where.places, found.last_hidden_state[0])
        if self.pooler is not None:
            found.pooler_output = self.pooler(found.last_hidden_state)
        return found

    def _beyond(self, mask: Tensor, others: dict[str, object]) -> bool:
        """Whether this call asks for more than packing gives: another device, a cache, a window."""
        asked = {name for name, given in others.items() if given is not None and given is not False}
        if mask.device.type != "cpu" or mask.ndim != 2 or asked - PLAIN:
            return True
        if self.trunk.config._attn_implementation != NAME:  # the user chose another since
            return True
        return self.longest is not None and int(mask.sum(1).max()) > self.longest


def _same_states(trunk: PreTrainedModel, packed: _Packed) -> bool:
    """Whether two rows that begin alike have the same states, padded and packed, under NAME."""
    size, pad = trunk.config.vocab_size, trunk.config.pad_token_id
    ids = torch.tensor([[i % size for i in range(2 * WORTH + 8) if i % size != pad]])
    ids = torch.cat([ids, ids])
    ids[1, WORTH + 2 :] = ids[1, WORTH + 2 :].flip(0)
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[1, -4:] = False
    padded = {"input_ids": ids, "attention_mask": mask.long()}
    training = trunk.training
    trunk.eval()
    try:
        with torch.no_grad():
            usual = packed.plain(**padded).last_hidden_state
            trunk.config._attn_implementation = NAME
            ours = (packed.plain(**padded), packed.read(ids, mask, None))
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # an architecture with positions or attention of its own
    finally:
        trunk.train(training)
    furthest = max(float((usual - o.last_hidden_state)[mask].abs().max()) for o in ours)
    return furthest <= PROBE_TOLERANCE * float(usual[mask].abs().max())


def _is_causal(module: nn.Module) -> bool:
    return bool(getattr(module, "is_causal", False))


def _first_position(trunk: PreTrainedModel) -> int:
    """The position of a row's first token: RoBERTa counts on from its padding."""
    for name, module in trunk.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def _windows(trunk: PreTrainedModel) -> list[int]:
    """How far its attention looks where that is less than everything."""
    names = ("sliding_window", "attention_chunk_size")
    found = [getattr(trunk.config, name, None) for name in names]
    return [size for size in found if isinstance(size, int)]


def _backwards(own: int, before: int) -> Tensor:
    """[own, before + own], True where a token of its own may look: all before it, and itself."""
    return torch.ones(own, before + own, dtype=torch.bool).tril(before)
