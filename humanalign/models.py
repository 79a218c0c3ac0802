"""A language model ready to be aligned: causal or encoder-decoder, all weights or LoRA.

`Policy` is the only door to transformers and peft: load, encode, forward, reference, save.
Letters: B rows, P prompt positions, T response positions, D hidden size, V vocabulary.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as hf_logging

from humanalign.decoding import Sampling, chosen_logprobs, warp
from humanalign.errors import DataError
from humanalign.hub import base_of_adapter, locate, require_tokenizer
from humanalign.objectives.batch import Tokens, pad_rows
from humanalign.types import Prompt

hf_logging.disable_progress_bar()
hf_logging.set_verbosity_error()
# peft reads an attribute that transformers renamed; nothing a user can act on.
warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")

# (logits [B, V], hidden [B, D]) -> logits [B, V]
LogitsHook = Callable[[Tensor, Tensor], Tensor]
WHOLE = Sampling()  # temperature 1, the whole vocabulary


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on the linear layers named by targets.

    alpha None means 2 * rank; no targets means every linear layer but the vocabulary head.
    """

    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: tuple[str, ...] = ()


class Policy:
    """A model, its tokenizer and, with LoRA, its adapter. Always in eval mode: dropout is off."""

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self._reference: Literal["off", "snapshot", "copy"] | None = None
        self._frozen: nn.Module | None = None  # the copy, where all weights are trained
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
    ) -> Policy:
        """Load a hub name, a model or adapter directory, a finished run or "tiny-instruct".

        With `lora`, a fresh adapter is put on a plain model; an adapter that is loaded goes on
        being trained as it is. DataError: no such model, or a directory without a tokenizer.
        """
        path = locate(name)
        base = base_of_adapter(path)
        require_tokenizer(path)
        model = _load_model(locate(base) if base else path, dtype)
        tokenizer = _load(AutoTokenizer, path)
        torch.manual_seed(seed)
        if base:
            model = PeftModel.from_pretrained(model, path, is_trainable=True)
        elif lora and lora.rank > 0:
            model = get_peft_model(model, _lora_config(lora))
        policy = cls(model.to(device or default_device()), tokenizer, str(base or name))
        policy._check_pieces()
        return policy

    def _check_pieces(self) -> None:
        if self.tokenizer.eos_token_id is None:
            raise DataError(f"{self.name}: the tokenizer has no EOS token; set eos_token in it")
        if self.tokenizer.vocab_size > self.hf.config.vocab_size:
            raise DataError(
                f"{self.name}: the tokenizer has {self.tokenizer.vocab_size} tokens, the model "
                f"only {self.hf.config.vocab_size}; use the tokenizer the model was trained with"
            )

    @property
    def hf(self) -> PreTrainedModel:
        """The transformers model, with adapters (if any) inside its layers."""
        inner = self.adapter.get_base_model() if self.has_adapter else self.model
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
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def hidden_size(self) -> int:
        return self.hf.config.hidden_size

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The token ids that end an answer: the tokenizer's EOS."""
        return (cast(int, self.tokenizer.eos_token_id),)

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
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def render(self, prompt: Prompt | str) -> str:
        """The text the model reads: its chat template over a conversation, or the text itself."""
        if isinstance(prompt, str):
            return prompt
        if not prompt.messages or not self.tokenizer.chat_template:
            return prompt.text
        messages = [{"role": role, "content": content} for role, content in prompt.messages]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return str(text)

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
        rows = [self._prompt_ids(p) for p in prompts]
        self._check_length(rows, max_new_tokens)
        answers: list[list[int]] = [[] for _ in rows]
        if responses is not None:
            eos = [self.tokenizer.eos_token_id]
            answers = [
                self.tokenizer(r, add_special_tokens=False).input_ids + eos for r in responses
            ]
            self._check_answers(rows, answers)
        pad = self.pad_id
        return Tokens(*pad_rows(rows, pad, left=True), *pad_rows(answers, pad, left=False)).to(
            self.device
        )

    def _prompt_ids(self, text: str) -> list[int]:
        bos = cast(str | None, self.tokenizer.bos_token)
        # A chat template writes BOS itself; a second one would be a prompt nobody trained on.
        special = not (bos and text.startswith(bos))
        return self.tokenizer(text, add_special_tokens=special).input_ids

    def fits(self, text: str, max_new_tokens: int) -> bool:
        """True when the prompt, and for causal models its answer too, fits the context."""
        room = self._room(max_new_tokens)
        return room is None or len(self._prompt_ids(text)) <= room

    def _room(self, max_new_tokens: int) -> int | None:
        limit = self.context_length
        if limit is None or self.is_encoder_decoder:
            return limit
        return limit - max_new_tokens

    def _check_length(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> None:
        room = self._room(max_new_tokens)
        if room is None:
            return
        longest = max(range(len(rows)), key=lambda i: len(rows[i]), default=0)
        if rows and len(rows[longest]) > room:
            start = self.tokenizer.decode(list(rows[longest][:12]), skip_special_tokens=True)
            raise DataError(
                f"a prompt of {len(rows[longest])} tokens ({start!r} ...) is longer than the "
                f"{room} that {self.name} can read besides its answer; shorten it, or set "
                "long_prompts=drop to leave such prompts out"
            )

    def _check_answers(self, rows: Sequence[list[int]], answers: Sequence[list[int]]) -> None:
        """DataError for a prompt that fits alone but not together with its answer."""
        limit = self._room(0)
        if limit is None or self.is_encoder_decoder:
            return
        for row, answer in zip(rows, answers, strict=True):
            if len(row) + len(answer) > limit:
                raise DataError(
                    f"a prompt of {len(row)} tokens and its answer of {len(answer)} are longer "
                    f"than the {limit} that {self.name} reads; shorten or leave out the row"
                )

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Logits [B, T, V] that predict response_ids, and the hidden states [B, T, D] behind them.

        The reward of position t, its value and its log-probability all live at the same index t.
        """
        if self.is_encoder_decoder:
            return self._forward_encoder_decoder(tokens)
        ids = torch.cat([tokens.prompt_ids, tokens.response_ids], dim=1)
        mask = torch.cat([tokens.prompt_mask, tokens.response_mask], dim=1).long()
        length = tokens.response_ids.shape[1]
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            output_hidden_states=True,
            logits_to_keep=length + 1,
            use_cache=False,
        )
        # The position before a token predicts it, so the last one predicts nothing we hold.
        return out.logits[:, -length - 1 : -1], out.hidden_states[-1][:, -length - 1 : -1]

    def _forward_encoder_decoder(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        ids = tokens.response_ids
        first = torch.full_like(ids[:, :1], self.decoder_start_id)
        mask = tokens.response_mask
        out = self.model(
            input_ids=tokens.prompt_ids,
            attention_mask=tokens.prompt_mask.long(),
            decoder_input_ids=torch.cat([first, ids[:, :-1]], dim=1),
            decoder_attention_mask=torch.cat(
                [torch.ones_like(mask[:, :1]), mask[:, :-1]], 1
            ).long(),
            output_hidden_states=True,
            use_cache=False,
        )
        return out.logits, out.decoder_hidden_states[-1]

    def logprobs(self, tokens: Tokens, sampling: Sampling = WHOLE) -> Tensor:
        """Per-token log-probabilities [B, T] of response_ids in nats, 0 where masked."""
        logits, _ = self.forward(tokens)
        chosen = chosen_logprobs(warp(logits, sampling, self.eos_ids), tokens.response_ids)
        return chosen.masked_fill(~tokens.response_mask, 0.0)

    def freeze_reference(self) -> None:
        """Keep what the policy is now as the reference of the KL.

        LoRA: a snapshot of the adapter, because "adapter off" is the wrong reference once the
        adapter has been trained; while it is untouched (B = 0) the two are the same and "off" is
        cheaper. All weights: a frozen copy.
        """
        if not self.has_adapter:
            self._frozen = copy.deepcopy(self.model).requires_grad_(False)
            self._reference = "copy"
        elif all(not p.any() for n, p in self.trainable().items() if "lora_B" in n):
            self._reference = "off"
        else:
            self._snapshot_adapter()
            self._reference = "snapshot"

    def _snapshot_adapter(self) -> None:
        if "reference" not in self.adapter.peft_config:
            self.adapter.add_adapter(
                "reference", copy.deepcopy(self.adapter.peft_config["default"])
            )
        own = dict(self.model.named_parameters())
        for name, p in own.items():
            if ".reference." in name:
                p.data.copy_(own[name.replace(".reference.", ".default.")].data)
                p.requires_grad_(False)
        self.adapter.set_adapter("default")

    @contextmanager
    def reference(self) -> Iterator[Policy]:
        """Inside, forward() and logprobs() are the frozen reference's, without gradients."""
        if self._reference is None:
            raise RuntimeError("freeze_reference() comes before reference()")
        with torch.no_grad():
            if self._reference == "off":
                with self.adapter.disable_adapter():
                    yield self
            elif self._reference == "snapshot":
                self.adapter.set_adapter("reference", inference_mode=True)
                try:
                    yield self
                finally:
                    self.adapter.set_adapter("default")
            else:
                live, self.model = self.model, cast(nn.Module, self._frozen)
                try:
                    yield self
                finally:
                    self.model = live

    def save(self, path: Path) -> None:
        """Write the adapter (LoRA) or the whole model, and the tokenizer; `load` reads it back."""
        path.mkdir(parents=True, exist_ok=True)
        if self.has_adapter:
            self.adapter.peft_config["default"].base_model_name_or_path = _portable(self.name)
            self.adapter.save_pretrained(
                str(path), selected_adapters=["default"], save_embedding_layers=False
            )
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


def _load_model(path: str, dtype: str) -> nn.Module:
    config = _load(AutoConfig, path)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return _load(kind, path, dtype=getattr(torch, dtype))


def _load(kind, path: str, **options):
    try:
        return kind.from_pretrained(path, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"cannot load the model '{path}' ({reason}); check the name") from error


def _lora_config(lora: Lora) -> LoraConfig:
    return LoraConfig(
        r=lora.rank,
        lora_alpha=2 * lora.rank if lora.alpha is None else lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        task_type=None,
    )


def _portable(name: str) -> str:
    """A local directory by its full path, so that the adapter finds its base from anywhere."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name
