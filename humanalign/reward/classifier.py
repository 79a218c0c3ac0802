"""A Hugging Face text classifier as a reward: the label is chosen by its name, never its place.

The well-known course lab reads the first entry of a list sorted by score, and so rewards whatever
is most probable; here `label="nothate"` is looked up in the model's own id2label.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from humanalign.errors import ConfigError, DataError, did_you_mean
from humanalign.reward.reading import Reader, first_line, load_tokenizer, token_limit
from humanalign.reward.scoring import check_rows, check_scores, in_batches

USES = ("logit", "logprob", "prob")
TEXTS = ("response", "both")
DEFAULT_MAX_TOKENS = 512


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
    ) -> None:
        """ConfigError for an unknown or missing label (its labels are listed), use or text."""
        check_choice("use", use, USES)
        check_choice("text", text, TEXTS)
        self.name, self.use, self.text, self.batch_size = name, use, text, batch_size
        self.labels = label_names(model)
        self.label_id = _label_id(self.labels, label, use, name)
        self.label = self.labels[self.label_id]
        # A causal classifier finds its last token by this id, so it must be what we pad with.
        limit = token_limit(tokenizer, position_count(model))
        self.reader = Reader.of(tokenizer, min(DEFAULT_MAX_TOKENS, limit or DEFAULT_MAX_TOKENS))
        if model.config.pad_token_id is None:
            model.config.pad_token_id = self.reader.pad_id
        self.model = model.eval().requires_grad_(False)

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row, from batches of similar length; higher = more of the label."""
        check_rows(prompts, completions)
        asked = list(prompts) if self.text == "both" else [None] * len(completions)
        lengths = [len(c) + len(p or "") for p, c in zip(asked, completions, strict=True)]

        def batch(rows: list[int]) -> list[float]:
            return self._batch([asked[i] for i in rows], [completions[i] for i in rows])

        return check_scores(in_batches(lengths, self.batch_size, batch), len(lengths), self.name)

    @torch.inference_mode()
    def _batch(self, prompts: list[str | None], completions: list[str]) -> list[float]:
        tokens = self.reader.rows(prompts, completions)
        logits = self.model(**tokens.inputs(self.model.device)).logits
        return self._wanted(logits.float()).tolist()

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
    text: str = "response",
    batch_size: int = 32,
    device: str | None = None,
) -> ClassifierReward:
    """Load a classifier from a directory or the hub.

    DataError: nothing there, no tokenizer, or weights without a classification head (transformers
    would fill in a random one, and the reward would be noise).
    """
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
    if device is not None:
        model = model.to(device)
    return ClassifierReward(
        model, tokenizer, name=name, label=label, use=use, text=text, batch_size=batch_size
    )


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
