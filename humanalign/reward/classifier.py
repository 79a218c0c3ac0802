"""A Hugging Face text classifier as a reward: the label is chosen by its name, never its place.

The well-known course lab reads the first entry of a list sorted by score, and so rewards whatever
is most probable; here `label="nothate"` is looked up in the model's own id2label.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from humanalign.errors import ConfigError, DataError, did_you_mean
from humanalign.reward.identity import model_id
from humanalign.reward.native import agree_on_marks, check_ends
from humanalign.reward.packing import read_without_padding
from humanalign.reward.reading import Reader, first_line, load_tokenizer, token_limit
from humanalign.reward.scoring import alike, check_rows, check_scores
from humanalign.types import content_id

USES = ("logit", "logprob", "prob")
TEXTS = ("response", "both")
DEFAULT_MAX_TOKENS = 512
# What our own fits write beside the weights: which texts the classifier was taught to read.
ABOUT = "classifier.json"


class ClassifierReward:
    """The chosen label's logit, log-probability or probability of each response.

    By default the response alone is read, so that a rude prompt does not make every answer rude;
    text="both" gives the classifier the prompt as the first text of the pair.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        label: str | None = None,
        use: str = "logit",
        text: str = "response",
        batch_size: int = 32,
        max_tokens: int | None = None,
    ) -> None:
        """ConfigError for an unknown or missing label (its labels are listed), use or text."""
        check_choice("use", use, USES)
        check_choice("text", text, TEXTS)
        self.name, self.use, self.text, self.batch_size = name, use, text, batch_size
        self.labels = label_names(model)
        self.label_id = _label_id(self.labels, label, use, name)
        self.label = self.labels[self.label_id]
        self.reader = reader_of(model, tokenizer, max_tokens)
        self.model = model.eval().requires_grad_(False)

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row, from batches of similar length; higher = more of the label."""
        logits = self.logits(prompts, completions)
        return check_scores(self._wanted(logits).tolist(), len(completions), self.name)

    def logits(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """The logits of all labels, [rows, labels], on the CPU."""
        check_rows(prompts, completions)
        asked = list(prompts) if self.text == "both" else [None] * len(completions)
        lengths = [len(c) + len(p or "") for p, c in zip(asked, completions, strict=True)]
        found = torch.zeros(len(lengths), len(self.labels))
        for rows in alike(lengths, self.batch_size):
            found[rows] = self._batch([asked[i] for i in rows], [completions[i] for i in rows])
        return found

    def identity(self) -> str:
        """The same for the same model, tokenizer, label and way of reading."""
        ways = (self.label, self.use, self.text, self.reader.max_tokens)
        which = model_id(self.model, self.model.config, self.reader.tokenizer)
        return content_id("classifier", which, ways)

    @torch.inference_mode()
    def _batch(self, prompts: list[str | None], completions: list[str]) -> Tensor:
        tokens = self.reader.rows(prompts, completions)
        check_ends(self.model.config, tokens.ids)
        return self.model(**tokens.inputs(self.model.device)).logits.float().cpu()

    def _wanted(self, logits: Tensor) -> Tensor:
        """[B, labels] -> [B]: softmax over labels, or sigmoid where labels are independent."""
        if self.use == "logit":
            return logits[:, self.label_id]
        if self.model.config.problem_type == "multi_label_classification":
            logprobs = torch.nn.functional.logsigmoid(logits)
        else:
            logprobs = logits.log_softmax(-1)
        chosen = logprobs[:, self.label_id]
        return chosen if self.use == "logprob" else chosen.exp()


def load_classifier(
    name: str,
    *,
    label: str | None = None,
    use: str = "logit",
    text: str | None = None,
    batch_size: int = 32,
    device: str | None = None,
) -> ClassifierReward:
    """Load a classifier from a directory or the hub; `text` defaults to what it was taught to read.

    DataError: nothing there, no tokenizer, or weights without a classification head (transformers
    would fill in a random one, and the reward would be noise).
    """
    model, tokenizer = load_model(name, device=device)
    taught = read_about(name)
    return ClassifierReward(
        model,
        tokenizer,
        name=name,
        label=label,
        use=use,
        text=text or taught["text"],
        batch_size=batch_size,
        max_tokens=taught["max_tokens"],
    )


def load_model(
    name: str, *, device: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A classifier's model and tokenizer; DataError as `load_classifier` says."""
    tokenizer = load_tokenizer(name)
    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            name, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{name}: no classifier could be loaded ({first_line(error)}); check the name"
        ) from None
    if info["missing_keys"]:
        raise DataError(
            f"{name}: the weights have no classification head "
            f"({', '.join(sorted(info['missing_keys']))} missing); name a trained classifier"
        )
    read_without_padding(model.base_model)
    return (model if device is None else model.to(device)), tokenizer


def reader_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_tokens: int | None = None
) -> Reader:
    """How a classifier reads: `max_tokens` from the end, 512 or what it can take where None.

    ConfigError: more tokens than the model has places for.
    """
    limit = token_limit(tokenizer, position_count(model))
    if max_tokens is not None and limit is not None and max_tokens > limit:
        raise ConfigError(f"max_tokens: the backbone reads at most {limit}, got {max_tokens}")
    kept = max_tokens or min(DEFAULT_MAX_TOKENS, limit or DEFAULT_MAX_TOKENS)
    agree_on_marks(model.config, tokenizer)
    return Reader.of(tokenizer, kept)


def read_about(name: str | Path) -> dict:
    """What a classifier of ours was taught to read; another's reads the response alone."""
    path = Path(name) / ABOUT
    if not path.is_file():
        return {"text": "response", "max_tokens": None}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return {"text": about["text"], "max_tokens": int(about["max_tokens"])}
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: is damaged; fit the classifier again") from None


def label_names(model: PreTrainedModel) -> list[str]:
    """The model's labels in the order of its logits."""
    names = {int(key): str(value) for key, value in (model.config.id2label or {}).items()}
    return [names[i] for i in sorted(names)]


def position_count(model: PreTrainedModel) -> int | None:
    """How many tokens the model's positions allow; RoBERTa spends two of its table on padding."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        return positions - 2
    return positions


def check_choice(key: str, value: str, known: Sequence[str]) -> None:
    """Raise ConfigError unless `value` is one of `known`."""
    if value not in known:
        raise ConfigError(
            f"{key}: expected one of {', '.join(known)}, got '{value}'{did_you_mean(value, known)}"
        )


def _label_id(labels: list[str], label: str | None, use: str, name: str) -> int:
    if len(labels) == 1:
        if use != "logit":
            raise ConfigError(
                f"use: {name} has a single output, '{labels[0]}', and no classes to compare; "
                "use=logit reads it"
            )
        label = labels[0] if label is None else label
    listed = ", ".join(labels)
    if label is None:
        raise ConfigError(f"label: {name} has several labels; choose one of: {listed}")
    if label not in labels:
        raise ConfigError(
            f"label: {name} has no label '{label}'; its labels: {listed}"
            f"{did_you_mean(label, labels)}"
        )
    if labels.count(label) > 1:
        raise DataError(f"{name}: two of its labels are called '{label}'; rename them in id2label")
    return labels.index(label)
