"""From prompts and answers to token ids: templates, padding, and what fits the context.

Answers are padded on the right, prompts on the left where the answer follows them in one sequence
and on the right where an encoder reads them (its positions count from the start). Masks come from
lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedTokenizerBase

from humanalign.errors import DataError
from humanalign.objectives.batch import Tokens, pad_rows
from humanalign.types import Prompt


@dataclass(frozen=True)
class Encoding:
    """A tokenizer and the room its model has.

    `limit`: positions the model can read, None where unbounded; `shared`: True where prompt and
    answer stand in one sequence (causal models) and share that room.
    """

    tokenizer: PreTrainedTokenizerBase
    name: str
    limit: int | None
    shared: bool

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
        """Prompts and responses (each with EOS) as ids [B, P] and [B, T]; [B, 0] without any.

        DataError: a prompt that does not fit the context together with `max_new_tokens` or with
        its answer, with its length.
        """
        rows = [self.prompt_ids(p) for p in prompts]
        self._check_prompts(rows, max_new_tokens)
        answers: list[list[int]] = [[] for _ in rows]
        if responses is not None:
            answers = [self.answer_ids(r) for r in responses]
            self._check_answers(rows, answers)
        pad = cast(int, self.tokenizer.pad_token_id)
        return Tokens(*pad_rows(rows, pad, left=self.shared), *pad_rows(answers, pad, left=False))

    def prompt_ids(self, text: str) -> list[int]:
        """The ids of a prompt, with whatever the tokenizer puts around it."""
        bos = cast(str | None, self.tokenizer.bos_token)
        # A chat template writes BOS itself; a second one would be a prompt nobody trained on.
        special = not (bos and text.startswith(bos))
        return self.tokenizer(text, add_special_tokens=special).input_ids

    def answer_ids(self, text: str) -> list[int]:
        """The ids of an answer and the EOS that ends it."""
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return [*ids, cast(int, self.tokenizer.eos_token_id)]

    def fits(self, text: str, max_new_tokens: int) -> bool:
        """True when the prompt, and for causal models its answer too, fits the context."""
        room = self._room(max_new_tokens)
        return room is None or len(self.prompt_ids(text)) <= room

    def _room(self, max_new_tokens: int) -> int | None:
        if self.limit is None or not self.shared:
            return self.limit
        return self.limit - max_new_tokens

    def _check_prompts(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> None:
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
        if self.limit is None or not self.shared:
            return
        for row, answer in zip(rows, answers, strict=True):
            if len(row) + len(answer) > self.limit:
                raise DataError(
                    f"a prompt of {len(row)} tokens and its answer of {len(answer)} are longer "
                    f"than the {self.limit} that {self.name} reads; shorten or leave out the row"
                )
