"""Every hyper-parameter of a fit, and the optimizer that follows from them.

The rates fall with depth (layer-wise decay: Howard and Ruder 2018, arXiv 1801.06146): the highest
block learns at `lr`, each one below it at `layer_decay` times the rate of the one above, the
embeddings slowest. What is new, the head, learns at `head_lr` times `lr`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from torch import nn

from humanalign.errors import ConfigError, did_you_mean
from humanalign.models import Lora
from humanalign.reward.backbone import Pooling
from humanalign.reward.trainable import block_names
from humanalign.train import Trainer

Schedule = Literal["constant", "linear", "cosine"]
Precision = Literal["fp32", "bf16"]
# A batch that is not given: of 60 prompts 16 at a time would be four steps, which teach nothing.
MOST_ROWS, LEAST_STEPS = 16, 32


@dataclass(frozen=True)
class Recipe:
    """How a reward is fitted; `humanalign reward` has the same keys. ConfigError: out of range.

    `batch` counts prompts, each with all its pairs; None is 16, or fewer of few prompts, see
    `batch_of`. `max_tokens` of prompt and answer are kept from the end; None keeps 192, or
    what the backbone reads where that is less. `pooling` None is what suits the backbone, `chat`
    None its chat template where it has one. `margin` scales each pair's consensus margin into the
    loss. `smoothing` e makes a judgement's target 1 - e/2 (Szegedy et al.
    2016, arXiv 1512.00567, for two classes), and `centring` c adds c (r_j + r_k)^2 per pair, so
    that scores stay around 0 (Eisenstein et al. 2023, arXiv 2312.09244). `average` is the decay of
    a moving average of the weights, which is kept instead of them. With `patience` n, `validation`
    of the training prompts are put aside, and the fit ends after n epochs without a lower loss on
    them, at its best epoch. `dropout` is the model's own, `lora.dropout` what is zeroed before the
    adapters; neither touches the other. `micro_tokens` bounds the padded tokens of one forward:
    without dropout it changes no result. `precision` "bf16" multiplies in bfloat16, where that is
    faster.
    """

    # The rates, the dropout and the warm-up are those of docs/reward.md: chosen on a quarter of
    # HH's harmless pairs, far from proven there, and never against another test part.
    lr: float = 1e-4
    epochs: int = 2
    batch: int | None = None
    max_tokens: int | None = None
    pooling: Pooling | None = None
    chat: bool | None = None
    freeze_layers: int = 0
    lora: Lora | None = None
    margin: float = 0.0
    smoothing: float = 0.0
    centring: float = 0.0
    head_lr: float = 1.0
    layer_decay: float = 0.9
    dropout: float = 0.1
    # As BERT was fine-tuned, biases and norms left out: Devlin et al. 2018, arXiv 1810.04805.
    weight_decay: float = 0.01
    warmup: float = 0.1
    schedule: Schedule = "linear"
    average: float = 0.0
    patience: int = 0
    validation: float = 0.1
    micro_tokens: int = 4096
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        for key in ("lr", "epochs", "head_lr", "layer_decay", "micro_tokens"):
            _require(getattr(self, key) > 0, key, "above 0", getattr(self, key))
        for key in ("freeze_layers", "margin", "centring", "weight_decay", "patience"):
            _require(getattr(self, key) >= 0, key, "at least 0", getattr(self, key))
        for key in ("smoothing", "dropout", "average"):
            _require(0 <= getattr(self, key) < 1, key, "in [0, 1)", getattr(self, key))
        _require(self.layer_decay <= 1, "layer_decay", "at most 1", self.layer_decay)
        _require(0 <= self.warmup <= 1, "warmup", "a share in [0, 1]", self.warmup)
        _require(0 < self.validation < 1, "validation", "a share in (0, 1)", self.validation)
        for key in ("batch", "max_tokens"):
            value = getattr(self, key)
            _require(value is None or value > 0, key, "above 0", value)
        _choose("schedule", self.schedule, get_args(Schedule))
        _choose("precision", self.precision, get_args(Precision))
        _choose("pooling", self.pooling, [None, *get_args(Pooling)])
        if self.freeze_layers and self.lora and self.lora.rank:
            raise ConfigError(
                f"freeze_layers: LoRA freezes every layer already, got {self.freeze_layers}; give 0"
            )


def batch_of(recipe: Recipe, rows: int) -> int:
    """How many of so many rows (prompts, or labelled texts) one step of the recipe reads.

    Where it does not say: MOST_ROWS, fewer where an epoch would have fewer than LEAST_STEPS steps.
    """
    return recipe.batch or max(1, min(MOST_ROWS, rows // LEAST_STEPS))


def trainer_of(
    model: nn.Module, recipe: Recipe, *, steps: int, heads: Collection[str] = ()
) -> Trainer:
    """AdamW over what `model` lets learn, for `steps` steps; `heads` names the new parameters.

    Biases and the weights of norms, which have one dimension, do not decay.
    eps 1e-8: PPO's 1e-5 is of the size of the backbone's gradients here and would damp them.
    """
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return Trainer(
        learned,
        lr=recipe.lr,
        lr_of=rates(model, recipe, heads),
        weight_decay=recipe.weight_decay,
        undecayed={name for name, p in learned.items() if p.ndim < 2},
        betas=(0.9, 0.999),
        eps=1e-8,
        warmup=round(recipe.warmup * steps),
        total_steps=steps,
        schedule=recipe.schedule,
    )


def rates(model: nn.Module, recipe: Recipe, heads: Collection[str] = ()) -> dict[str, float]:
    """The learning rate of each parameter, by its name; `heads` names the new ones."""
    blocks = block_names(model)
    level, found = 0, {}
    for name, _ in model.named_parameters():
        # What stands outside the blocks, a last norm, learns like the block before it.
        level = next((i + 1 for i, b in enumerate(blocks) if name.startswith(f"{b}.")), level)
        found[name] = recipe.lr * recipe.layer_decay ** (len(blocks) - level)
        if name in heads:
            found[name] = recipe.lr * recipe.head_lr
    return found


def settings_of(recipe: Recipe) -> dict:
    """The recipe as YAML can write it, for the config of a run."""
    lora = asdict(recipe.lora or Lora(rank=0))
    return asdict(recipe) | {"lora": lora | {"targets": list(lora["targets"])}}


def _require(ok: bool, key: str, wanted: str, value: object) -> None:
    if not ok:
        raise ConfigError(f"{key}: must be {wanted}, got {value}")


def _choose(key: str, value: object, known: Collection[object]) -> None:
    if value not in known:
        names = [str(k) for k in known if k is not None]
        raise ConfigError(
            f"{key}: expected one of {', '.join(names)}, got '{value}'"
            f"{did_you_mean(str(value), names)}"
        )


# The recipe of a fit that names none.
PLAIN = Recipe()
# Its name in the package's public API, where `Recipe` alone would say too little.
RewardRecipe = Recipe
