"""A classifier that was fitted here: no reward until one of its labels is chosen by name.

On disk it is an ordinary AutoModelForSequenceClassification with its tokenizer, whose longest
input and side of truncation are those of the fit, and classifier.json, which says what it reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import log_softmax
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from humanalign.errors import DataError
from humanalign.hub import base_of_adapter, locate
from humanalign.models import default_device
from humanalign.reward.classifier import (
    ABOUT,
    ClassifierReward,
    label_names,
    load_model,
    position_count,
    read_about,
    reader_of,
)
from humanalign.reward.model import DEFAULT_MAX_TOKENS
from humanalign.reward.packing import read_without_padding
from humanalign.reward.reading import (
    Reader,
    cut_as_fitted,
    first_line,
    load_tokenizer,
    token_limit,
)
from humanalign.rows import write_bytes
from humanalign.types import LabelledText

FORMAT = "humanalign-classifier-1"


@dataclass
class Classifier:
    """A model with its tokenizer, and how much of which texts it reads.

    `text` is "both" where it reads the prompt before the text. `fresh` names the parameters that
    no pretraining has seen.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int
    text: str = "response"
    name: str = "classifier"
    fresh: frozenset[str] = frozenset()

    @property
    def labels(self) -> list[str]:
        """In the order of the logits."""
        return label_names(self.model)

    @property
    def reader(self) -> Reader:
        """How texts become tokens."""
        return reader_of(self.model, self.tokenizer, self.max_tokens)

    def new_in(self, model: nn.Module) -> frozenset[str]:
        """The fresh parameters by their names in `model`, where an adapter may lengthen them."""
        ends = tuple(f".{name}" for name in self.fresh)
        return frozenset(n for n, _ in model.named_parameters() if f".{n}".endswith(ends))

    def reward(self, label: str, *, use: str = "logit", batch_size: int = 32) -> ClassifierReward:
        """The reward for being `label`: its logit, log-probability or probability. ConfigError."""
        return ClassifierReward(
            self.model,
            self.tokenizer,
            name=self.name,
            label=label,
            use=use,
            text=self.text,
            batch_size=batch_size,
            max_tokens=self.max_tokens,
        )

    def logprobs(self, rows: Sequence[LabelledText]) -> np.ndarray:
        """Log-probabilities [rows, labels]."""
        any_label = self.reward(self.labels[0])  # all of them share the logits
        logits = any_label.logits([row.prompt for row in rows], [row.text for row in rows])
        return log_softmax(logits.double(), -1).numpy()

    def save(self, path: str | Path) -> None:
        """Write what transformers and `load_classifier` read, classifier.json last."""
        path = Path(path)
        self.model.save_pretrained(str(path))
        self.tokenizer.save_pretrained(str(path))
        about = {"format": FORMAT, "text": self.text, "max_tokens": self.max_tokens}
        write_bytes(path / ABOUT, (json.dumps(about, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path, *, device: str | None = None) -> Classifier:
        """Read what `save` wrote. DataError where nothing is."""
        if not (Path(path) / ABOUT).is_file():
            raise DataError(f"{path}: holds no fitted classifier ({ABOUT} is missing); check it")
        about = read_about(path)
        model, tokenizer = load_model(str(path), device=device)
        return cls(model, tokenizer, about["max_tokens"], about["text"], str(path))


def start_classifier(
    backbone: str,
    labels: Sequence[str],
    *,
    text: str = "response",
    max_tokens: int | None = None,
    device: str | None = None,
    seed: int = 0,
) -> Classifier:
    """A pretrained backbone under a new head for `labels`, the architecture's own, from `seed`.

    `max_tokens` None reads 192 tokens, or what the backbone can where that is less. DataError:
    nothing there, or an architecture that transformers has no classifier of. ConfigError: more
    tokens than the backbone has places for.
    """
    folder = locate(backbone)
    if base_of_adapter(folder):
        raise DataError(f"{folder}: is an adapter, not a whole model; `humanalign export` it first")
    tokenizer = load_tokenizer(folder)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=len(labels),
                id2label=dict(enumerate(labels)),
                label2id={label: place for place, label in enumerate(labels)},
                problem_type="single_label_classification",
                # A classifier of other labels gives its trunk.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{backbone}: no classifier could be made of it ({first_line(error)}); check the name"
        ) from None
    limit = token_limit(tokenizer, position_count(model)) or DEFAULT_MAX_TOKENS
    kept = reader_of(model, tokenizer, max_tokens or min(DEFAULT_MAX_TOKENS, limit)).max_tokens
    cut_as_fitted(tokenizer, kept)
    fresh = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    read_without_padding(model.base_model)
    model = model.eval().to(device or default_device())
    return Classifier(model, tokenizer, kept, text, fresh=frozenset(fresh))
