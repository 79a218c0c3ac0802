"""How a scorer reads a prompt and a response: special tokens, truncation and padding.

Letters: B rows, T tokens. Padding is on the right and the mask comes from lengths, so a pad token
that is also EOS does no harm. The end of both texts is kept: the response first, then as much of
the prompt as still fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from humanalign.errors import ConfigError, DataError
from humanalign.hub import require_tokenizer
from humanalign.reward.chat import closing, opening

# transformers gives tokenizers of unlimited length this size or a larger one.
UNLIMITED = 10**6
# Where a tokenizer that goes with a fit keeps the limit that it had before.
UNCUT = "uncut_max_length"


@dataclass(frozen=True)
class TokenRows:
    """Token ids ready for a model: ids, mask (True = real) and segments, [B, T] each.

    `segments` is 0 on the prompt and 1 on the response; None where the model does not read them.
    """

    ids: Tensor
    mask: Tensor
    segments: Tensor | None

    def inputs(self, device: torch.device) -> dict[str, Tensor]:
        """The same under the names that transformers calls them by."""
        named = {"input_ids": self.ids, "attention_mask": self.mask.long()}
        if self.segments is not None:
            named["token_type_ids"] = self.segments
        return {name: tensor.to(device) for name, tensor in named.items()}


@dataclass(frozen=True)
class Encoded:
    """One row's token ids, and where the response's segment starts; two: it has a prompt."""

    ids: list[int]
    start: int
    two: bool


@dataclass(frozen=True)
class Reader:
    """A tokenizer with the special tokens that it puts before, between and after two texts."""

    tokenizer: PreTrainedTokenizerBase
    max_tokens: int
    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    chat: bool = False

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, max_tokens: int, *, chat: bool = False
    ) -> Reader:
        """A reader of at most `max_tokens` tokens, its special tokens learnt from the tokenizer.

        The frame is what is left of `tokenizer("a", "b")` without the tokens of the two texts, so
        BERT's one separator, RoBERTa's two and T5's EOS all come out right. With `chat` the
        tokenizer's chat template writes all of it (chat.py).
        """
        if chat:
            end = tokenizer(closing(tokenizer), add_special_tokens=False)["input_ids"]
            return cls(tokenizer, max_tokens, (), (), tuple(end), chat=True)._checked()
        a, b = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in "ab")
        one, two = tokenizer("a")["input_ids"], tokenizer("a", "b")["input_ids"]
        start = next(i for i in range(len(one)) if one[i : i + len(a)] == a)
        after = one[start + len(a) :]
        between = two[start + len(a) : len(two) - len(after) - len(b)]
        before = tuple(one[:start])
        return cls(tokenizer, max_tokens, before, tuple(between), tuple(after))._checked()

    def _checked(self) -> Reader:
        least = self.frame_size + 2
        if self.max_tokens < least:
            raise ConfigError(
                f"max_tokens: must be at least {least} for this tokenizer, got {self.max_tokens}"
            )
        return self

    @property
    def frame_size(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def ids(self, prompt: str | None, response: str) -> tuple[list[int], int]:
        """Token ids of one row, and where the response's segment starts."""
        row = self.encode([prompt], [response])[0]
        return row.ids, row.start

    def encode(self, prompts: Sequence[str | None], responses: Sequence[str]) -> list[Encoded]:
        """The rows without padding; each distinct text is tokenised once, all in one call."""
        if self.chat:
            written = {p: opening(self.tokenizer, p) for p in set(prompts) if p is not None}
            prompts = [None if p is None else written[p] for p in prompts]
            # A template strips an answer; in a transcript it begins with a space.
            responses = [response.strip() for response in responses]
        texts = list(dict.fromkeys(text for text in (*prompts, *responses) if text is not None))
        known = dict(zip(texts, self._plain(texts), strict=True))
        return [
            self._row(None if p is None else known[p], known[r])
            for p, r in zip(prompts, responses, strict=True)
        ]

    def _row(self, prompt: list[int] | None, response: list[int]) -> Encoded:
        room = self.max_tokens - self.frame_size
        if prompt is None:
            said = response[-(room + len(self.between)) :]
            return Encoded([*self.before, *said, *self.after] or [self.pad_id], 0, two=False)
        said = response[-room:]
        room -= len(said)
        asked = prompt[-room:] if room else []
        head = [*self.before, *asked, *self.between]
        return Encoded([*head, *said, *self.after] or [self.pad_id], len(head), two=True)

    @property
    def pad_id(self) -> int:
        """What fills masked positions; which token it is makes no difference."""
        for known in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(known, int):
                return known
        return 0

    def rows(self, prompts: Sequence[str | None], responses: Sequence[str]) -> TokenRows:
        """Encode and right-pad a batch."""
        return self.pad(self.encode(prompts, responses))

    def pad(self, encoded: Sequence[Encoded]) -> TokenRows:
        """Right-pad encoded rows to the longest of them."""
        width = max(len(row.ids) for row in encoded)
        ids = torch.tensor([row.ids + [self.pad_id] * (width - len(row.ids)) for row in encoded])
        places = torch.arange(width)
        lengths = torch.tensor([len(row.ids) for row in encoded])
        starts = torch.tensor([row.start for row in encoded])
        mask = places < lengths[:, None]
        if "token_type_ids" not in self.tokenizer.model_input_names:
            return TokenRows(ids, mask, None)
        two_texts = torch.tensor([row.two for row in encoded])
        segments = (places >= starts[:, None]) & mask & two_texts[:, None]
        return TokenRows(ids, mask, segments.long())

    def _plain(self, texts: list[str]) -> list[list[int]]:
        # verbose=False: a text longer than the model is expected here, and cut by us.
        if not texts:
            return []
        return self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a hub name or directory; DataError where a directory has none."""
    require_tokenizer(name)
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{name}: no tokenizer could be loaded ({first_line(error)}); check the name"
        ) from None


def token_limit(tokenizer: PreTrainedTokenizerBase, positions: int | None) -> int | None:
    """The longest input of a model with `positions` positions; None where there is no limit."""
    own = tokenizer.init_kwargs.get(UNCUT, tokenizer.model_max_length)
    limits = [own, positions or UNLIMITED]
    return None if min(limits) >= UNLIMITED else min(limits)


def cut_as_fitted(tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
    """Let this tokenizer cut texts as a fit does, wherever it is loaded: the end is kept.

    A later fit that starts from the model may read more: `token_limit` knows what it was before.
    """
    tokenizer.init_kwargs.setdefault(UNCUT, tokenizer.model_max_length)
    tokenizer.model_max_length, tokenizer.truncation_side = max_tokens, "left"
    # transformers saves the side only where it was given at the start.
    tokenizer.init_kwargs["truncation_side"] = "left"


def first_line(error: Exception) -> str:
    """The first line of an error of another library, for a one-sentence message."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
