"""A language model ready to be aligned: causal or encoder-decoder, all weights or LoRA.

`Policy` is the only door to transformers and peft: load, encode, forward, reference, save. A
forward is two halves, the trunk up to its last hidden states and the vocabulary head, so that the
head is spent on response positions alone and, in training, on a few of them at a time.
Letters: B rows, P prompt positions, T response positions, D hidden size, V vocabulary.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import logging as hf_logging

from humanalign.adapters import (
    Lora,
    Reference,
    add_adapter,
    add_second,
    in_use,
    load_adapter,
    save_adapter,
)
from humanalign.attention import SHORT, plain_attention
from humanalign.decoding import Sampling, chosen_logprobs, warp
from humanalign.encoding import Encoding
from humanalign.errors import ConfigError, DataError
from humanalign.hub import base_of_adapter, locate, require_tokenizer
from humanalign.loading import load_model, load_tokenizer
from humanalign.objectives.batch import Tokens
from humanalign.types import Prompt

__all__ = ["Lora", "Policy", "default_device"]

hf_logging.disable_progress_bar()
hf_logging.set_verbosity_error()
# peft reads an attribute that transformers renamed; nothing a user can act on.
warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")

# (logits [B, V], hidden [B, D]) -> logits [B, V]
LogitsHook = Callable[[Tensor, Tensor], Tensor]
# (x [..., D], W [V, D]) -> x W^T
Product = Callable[[Tensor, Tensor], Tensor]
CRITIC = "critic"  # the name of its adapter
WHOLE = Sampling()  # temperature 1, the whole vocabulary


class Policy:
    """A model, its tokenizer and, with LoRA, its adapter. Always in eval mode: dropout is off."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self._reference: Reference | None = None
        self._recomputed: list[nn.Module] = []
        self.logits_hook: LogitsHook | None = None  # steers sampling, e.g. by ILQL's heads
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token  # harmless: masks come from lengths

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        lora: Lora | None = None,
        seed: int = 0,
        device: str | None = None,
        dtype: str = "float32",
        quantize: str | None = None,
        freeze_encoder: bool = False,
    ) -> Policy:
        """Load a hub name, a model or adapter directory, a finished run or "tiny-instruct".

        With `lora`, a fresh adapter is put on a plain model; an adapter that is loaded goes on
        being trained as it is. `quantize` ("4bit", "8bit") holds the base in fewer bits, by
        bitsandbytes. DataError: no such model, or a directory without a tokenizer.
        """
        path = locate(name)
        base = base_of_adapter(path)
        require_tokenizer(path)
        model = load_model(locate(base) if base else path, dtype, quantize)
        tokenizer = load_tokenizer(path)
        torch.manual_seed(seed)
        if base:
            model = load_adapter(model, path)
        elif lora and lora.rank > 0:
            model = add_adapter(model, lora, freeze_encoder=freeze_encoder)
        if not quantize:  # bitsandbytes has placed it already
            model = model.to(device or default_device())
        policy = cls(model, tokenizer, str(base or name))
        policy._check_pieces()
        if freeze_encoder:
            policy._freeze_encoder()
        return policy

    def _check_pieces(self) -> None:
        if self.tokenizer.eos_token_id is None:
            raise DataError(f"{self.name}: the tokenizer has no EOS token; set eos_token in it")
        tokens = max(self.tokenizer.vocab_size, 1 + max(self.pad_id, *self.eos_ids))
        if tokens > self.hf.config.vocab_size:
            raise DataError(
                f"{self.name}: the tokenizer has {tokens} tokens, the model "
                f"only {self.hf.config.vocab_size}; use the tokenizer the model was trained with"
            )

    def _freeze_encoder(self) -> None:
        if not self.is_encoder_decoder:
            raise ConfigError(
                f"freeze_encoder: {self.name} is a causal model without an encoder; leave it out"
            )
        self.hf.get_encoder().requires_grad_(False)

    @property
    def hf(self) -> PreTrainedModel:
        """The transformers model, with adapters (if any) inside its layers."""
        inner = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        return cast(PreTrainedModel, inner)

    @property
    def adapter(self) -> PeftModel:
        """The same model as peft sees it; only where `has_adapter`."""
        return cast(PeftModel, self.model)

    @property
    def has_adapter(self) -> bool:
        return isinstance(self.model, PeftModel)

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.hf.config.is_encoder_decoder)

    @property
    def encoder_is_frozen(self) -> bool:
        """True where nothing that learns can change what the encoder says: it may run once."""
        if not self.is_encoder_decoder:
            return False
        return not any(p.requires_grad for p in self.hf.get_encoder().parameters())

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def hidden_size(self) -> int:
        """D of the states that the vocabulary head reads."""
        head = cast(nn.Module, self.hf.get_output_embeddings())
        return cast(Tensor, head.weight).shape[-1]

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The token ids that end an answer: the tokenizer's EOS, then those the model names.

        Chat models end a turn with another token than a text. Of a generation_config nothing else
        is read.
        """
        named = getattr(self.hf.generation_config, "eos_token_id", None)
        more = [named] if isinstance(named, int) else list(named or [])
        # Small models made from a large one's config name ids that they do not have.
        known = [i for i in more if i < self.hf.config.vocab_size]
        return tuple(dict.fromkeys([cast(int, self.tokenizer.eos_token_id), *known]))

    @property
    def pad_id(self) -> int:
        """What fills masked positions; it may equal EOS."""
        return cast(int, self.tokenizer.pad_token_id)

    @property
    def decoder_start_id(self) -> int:
        """What an encoder-decoder's answer starts from: its own setting, else the pad token."""
        for settings in (self.hf.config, self.hf.generation_config):
            start = getattr(settings, "decoder_start_token_id", None)
            if start is not None:
                return start
        return self.pad_id

    @property
    def context_length(self) -> int | None:
        """Positions the model can read: its own limit or the tokenizer's, None where unbounded."""
        limits = [getattr(self.hf.config, "max_position_embeddings", None)]
        limits.append(self.tokenizer.model_max_length)
        known = [limit for limit in limits if limit and limit < 10**7]
        return min(known) if known else None

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that learn, by name: the adapter's, or all of them."""
        own = ((n, p) for n, p in self.model.named_parameters() if p.requires_grad)
        return {n: p for n, p in own if f".{CRITIC}." not in n}

    @cached_property
    def _encoding(self) -> Encoding:
        shared = not self.is_encoder_decoder
        return Encoding(self.tokenizer, self.name, self.context_length, shared)

    def render(self, prompt: Prompt | str) -> str:
        """The text the model reads: its chat template over a conversation, or the text itself."""
        return self._encoding.render(prompt)

    def encode(
        self,
        prompts: Sequence[str],
        responses: Sequence[str] | None = None,
        *,
        max_new_tokens: int = 0,
    ) -> Tokens:
        """Prompts padded left, responses (each with EOS) padded right; masks from lengths.

        Without responses the response tensors are [B, 0]. DataError: a prompt that does not fit
        the context together with `max_new_tokens`, with its length.
        """
        limit = getattr(self.hf.config, "max_position_embeddings", None)
        if self.is_encoder_decoder and limit and max_new_tokens > limit:
            raise DataError(
                f"max_new_tokens: {self.name} writes at most {limit} tokens, got {max_new_tokens}"
            )
        encoded = self._encoding.encode(prompts, responses, max_new_tokens=max_new_tokens)
        return encoded.to(self.device)

    def fits(self, text: str, max_new_tokens: int) -> bool:
        """True when the prompt, and for causal models its answer too, fits the context."""
        return self._encoding.fits(text, max_new_tokens)

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Logits [B, T, V] that predict response_ids, and the hidden states [B, T, D] behind them.

        The reward of position t, its value and its log-probability all live at the same index t.
        """
        hidden = self.hidden(tokens)
        return self.logits(hidden), hidden

    def hidden(self, tokens: Tokens, encoded: Tensor | None = None) -> Tensor:
        """The trunk: last hidden states [B, T, D] at the positions that predict response_ids.

        `encoded` [B, P, D] are the encoder's states of the prompts, where somebody has them.
        """
        with self._recomputing():
            if not self.is_encoder_decoder:
                return self._causal_hidden(tokens)
            short = max(tokens.prompt_ids.shape[1], tokens.response_ids.shape[1]) <= SHORT
            # What backward recomputes must take the path that forward took.
            again = bool(self._recomputed) and torch.is_grad_enabled()
            with plain_attention(self.hf, when=short and not again):
                states = self.encoder_states(tokens) if encoded is None else encoded
                return self._decoder_hidden(tokens, states)

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Layers recompute in training mode only; what is inside them stays without dropout, and
        a decoding loop must not find them so, because it would lose its cache."""
        for layer in self._recomputed:
            layer.training = torch.is_grad_enabled()
        try:
            yield
        finally:
            for layer in self._recomputed:
                layer.training = False

    def _causal_hidden(self, tokens: Tokens) -> Tensor:
        """Each row is moved to the left, so that padding follows it and the causal mask is enough:
        attention needs no other mask and takes its fastest path."""
        ids = torch.cat([tokens.prompt_ids, tokens.response_ids], dim=1)
        asked = tokens.prompt_mask.sum(1, keepdim=True)
        shift = tokens.prompt_ids.shape[1] - asked
        if shift.any():
            place = torch.arange(ids.shape[1], device=ids.device) + shift
            ids = ids.gather(1, place.clamp(max=ids.shape[1] - 1))
        longest = int((asked[:, 0] + tokens.response_mask.sum(1)).max())
        out = self.hf.base_model(input_ids=ids[:, :longest], use_cache=False)
        # The position before a token predicts it.
        said = torch.arange(tokens.response_ids.shape[1], device=ids.device)
        place = (asked - 1 + said).clamp(max=longest - 1)
        hidden = out.last_hidden_state
        return hidden.gather(1, place.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))

    def encoder_states(self, tokens: Tokens) -> Tensor:
        """What the encoder makes of the prompts, [B, P, D]."""
        mask = tokens.prompt_mask.long()
        return self.hf.get_encoder()(
            input_ids=tokens.prompt_ids, attention_mask=mask
        ).last_hidden_state

    def _decoder_hidden(self, tokens: Tokens, states: Tensor) -> Tensor:
        ids = tokens.response_ids
        first = torch.full_like(ids[:, :1], self.decoder_start_id)
        # Padding stands after the answer, where the causal mask hides it already.
        out = self.hf.get_decoder()(
            input_ids=torch.cat([first, ids[:, :-1]], dim=1),
            encoder_hidden_states=states,
            encoder_attention_mask=tokens.prompt_mask.long(),
            use_cache=False,
        )
        return out.last_hidden_state

    def logits(self, hidden: Tensor, product: Product | None = None) -> Tensor:
        """The vocabulary head: hidden [..., D] -> logits [..., V], with what its family adds.

        `product` (x, W) -> x W^T stands in for the product itself, where the head is no more.
        """
        config = self.hf.config.get_text_config(decoder=True)
        if getattr(config, "scale_decoder_outputs", False):  # T5 with tied embeddings
            hidden = hidden * config.hidden_size**-0.5
        head = cast(nn.Module, self.hf.get_output_embeddings())
        if product is not None and type(head) is nn.Linear and head.bias is None:
            logits = product(hidden, head.weight)
        else:
            logits = head(hidden)
        if getattr(config, "logits_scaling", None):  # Granite
            logits = logits / config.logits_scaling
        if getattr(config, "logit_scale", None):  # Cohere
            logits = logits * config.logit_scale
        cap = getattr(config, "final_logit_softcapping", None)  # Gemma
        return logits if not cap else cap * torch.tanh(logits / cap)

    def logprobs(self, tokens: Tokens, sampling: Sampling = WHOLE) -> Tensor:
        """Per-token log-probabilities [B, T] of response_ids in nats, 0 where masked."""
        logits, _ = self.forward(tokens)
        chosen = chosen_logprobs(warp(logits, sampling, self.eos_ids), tokens.response_ids)
        return chosen.masked_fill(~tokens.response_mask, 0.0)

    def freeze_reference(self) -> None:
        """Keep what the policy is now as the reference of the KL; see `adapters.Reference`."""
        self._reference = Reference(self.model)

    @contextmanager
    def reference(self) -> Iterator[Policy]:
        """Inside, forward() and logprobs() are the frozen reference's, without gradients."""
        if self._reference is None:
            raise RuntimeError("freeze_reference() comes before reference()")
        live = self.model
        with self._reference.of(live) as frozen:
            self.model = frozen
            try:
                yield self
            finally:
                self.model = live

    def critic_parameters(self) -> dict[str, nn.Parameter]:
        """A second adapter over the same weights, in which a critic can learn apart; B = 0."""
        if not self.has_adapter:
            raise ConfigError(
                "value.model: 'adapter' is a second adapter beside the policy's, and all weights "
                "are trained here (lora.rank=0); set lora.rank, or name a model"
            )
        return add_second(self.adapter, CRITIC, learns=True)

    @contextmanager
    def as_critic(self) -> Iterator[None]:
        """Inside, forwards and backwards are those of the base under the critic's adapter."""
        with in_use(self.model, CRITIC):
            yield

    def save_memory(self) -> None:
        """Recompute activations in backward instead of keeping them."""
        self.hf.gradient_checkpointing_enable({"use_reentrant": False})
        layers = (m for m in self.hf.modules() if isinstance(m, GradientCheckpointingLayer))
        self._recomputed = list(layers)
        for layer in self._recomputed:  # some families read a rate rather than a dropout module
            for rate in ("dropout", "activation_dropout"):
                if isinstance(getattr(layer, rate, None), float):
                    setattr(layer, rate, 0.0)

    def save(self, path: Path) -> None:
        """Write the adapter (LoRA) or the whole model, and the tokenizer; `load` reads it back."""
        path.mkdir(parents=True, exist_ok=True)
        if self.has_adapter:
            save_adapter(self.adapter, path, base=self.name)
        else:
            self.hf.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    def save_merged(self, path: Path) -> None:
        """Write an ordinary Hugging Face model with the adapter folded into the weights."""
        path.mkdir(parents=True, exist_ok=True)
        model = self.hf
        if self.has_adapter:
            model = copy.deepcopy(self.adapter).merge_and_unload()
        model.save_pretrained(path)
        self.tokenizer.save_pretrained(path)


def default_device() -> str:
    """The accelerator where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
