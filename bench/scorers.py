"""The reward network that both sides are timed with: a model of the policy's own size.

Nothing of humanalign is imported: the peers' environments load this file too. Scores are raw
numbers of an untrained head, because only the time they take is of interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, T5Model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a problem, by its own file: class names differ between versions."""
    stories = (folder / "shape.json").read_text(encoding="utf-8").find("stories") > 0
    names = {"pad_token": "<unk>", "bos_token": "<s>"} if stories else {"pad_token": "<pad>"}
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "policy" / "tokenizer.json"),
        eos_token="</s>",
        unk_token="<unk>",
        padding_side="left",
        **names,
    )


class CausalScorer:
    """A sequence classifier with one label, read at the last token of prompt and response."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForSequenceClassification.from_pretrained(folder / "reward").eval()

    @torch.inference_mode()
    def scores(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        """Scores [B] of rows of ids."""
        rows = [torch.tensor([*p, *a]) for p, a in zip(prompts, answers, strict=True)]
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        body = getattr(self.model, self.model.base_model_prefix)
        hidden = body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        return self.model.score(hidden[torch.arange(len(rows)), lengths - 1])[:, 0]


class EncoderDecoderScorer:
    """T5 reads the prompt, its decoder the response; the mean of what it sees is the score."""

    def __init__(self, folder: Path) -> None:
        self.model = T5Model.from_pretrained(folder / "policy").eval()

    @torch.inference_mode()
    def scores(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        """Scores [B] of rows of ids."""
        asked, asked_mask = _padded(prompts)
        said, said_mask = _padded(answers)
        seen = self.model(
            input_ids=asked,
            attention_mask=asked_mask,
            decoder_input_ids=said,
            decoder_attention_mask=said_mask,
            use_cache=False,
        ).last_hidden_state
        mean = (seen * said_mask[..., None]).sum(1) / said_mask.sum(1, keepdim=True)
        return mean.mean(1)


def load_scorer(folder: Path) -> CausalScorer | EncoderDecoderScorer:
    """The scorer of the problem in `folder`."""
    causal = (folder / "reward").is_dir()
    return CausalScorer(folder) if causal else EncoderDecoderScorer(folder)


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    width = max(1, *(len(row) for row in rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[i, : len(row)] = 1
    return ids, mask.clamp(min=0).index_fill(1, torch.tensor([0]), 1)
