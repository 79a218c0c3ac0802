"""The learned reward: a language model with a scalar head, in the place of the human labeler.

It reads prompt and response, right-padded, and returns one number per response, standardised so
that the completions it was trained on score mean 0 and standard deviation 1 (METHODS: PPO's
coefficients mean the same for every reward model). The scale is folded into the head, so that the
saved weights are standardised themselves, wherever they are loaded. Only a causal architecture's
own head has no bias to take the mean: there transformers gives the score plus a constant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from humanalign.errors import ConfigError, DataError
from humanalign.heads import ScalarHead
from humanalign.hub import locate
from humanalign.models import Lora, default_device
from humanalign.reward.backbone import Backbone, Pooling, load_backbone, save_backbone
from humanalign.reward.batches import score_rows
from humanalign.reward.chat import uses_chat
from humanalign.reward.identity import model_id
from humanalign.reward.native import agree_on_marks
from humanalign.reward.reading import (
    Reader,
    TokenRows,
    cut_as_fitted,
    load_tokenizer,
    token_limit,
)
from humanalign.reward.scoring import check_rows, check_scores
from humanalign.reward.trainable import choose_trainable, merged
from humanalign.reward.trust.shift import Familiar
from humanalign.rows import write_bytes
from humanalign.types import EvalResult, content_id

HEAD, FAMILIAR = "head.safetensors", "familiar.safetensors"
FORMAT = "humanalign-reward-2"
DEFAULT_MAX_TOKENS = 192
# Fewer texts than this say nothing of what is usual.
FEWEST_FAMILIAR = 10


@dataclass(frozen=True)
class Scale:
    """What a standardised score was before: raw = mean + std * score.

    Differences of raw scores are log-odds of the Bradley-Terry model that was fitted.
    """

    mean: float = 0.0
    std: float = 1.0


class LearnedReward(nn.Module):
    """A RewardModel with weights. `forward` gives raw scores with gradients, `score` floats.

    `batch_size` bounds the memory of scoring: as many tokens at a time as that many full rows.
    """

    def __init__(self, backbone: Backbone, head: ScalarHead, reader: Reader) -> None:
        super().__init__()
        self.backbone, self.head, self.reader = backbone, head, reader
        self.scale = Scale()
        self.batch_size = 32
        # Held-out pair accuracy, known to who fitted the model; run.json keeps it for the others.
        self.accuracy: EvalResult | None = None
        # What its training texts look like, so that others can be told apart: see trust/shift.
        self.familiar: Familiar | None = None

    @classmethod
    def start(
        cls,
        name: str,
        *,
        pooling: Pooling | None = None,
        max_tokens: int | None = None,
        chat: bool | None = None,
        device: str | None = None,
        seed: int = 0,
    ) -> LearnedReward:
        """An untrained reward: a pretrained backbone under a random head.

        `max_tokens` counts prompt and response together; by default 192, or the backbone's limit.
        `chat`: read by the tokenizer's chat template; None: where it has one. ConfigError: more
        tokens than the backbone reads, or no chat template where one is asked for.
        """
        folder = locate(name)
        tokenizer = load_tokenizer(folder)
        backbone, head = load_backbone(folder, pooling=pooling, seed=seed)
        limit = token_limit(tokenizer, backbone.positions)
        if max_tokens is not None and limit is not None and max_tokens > limit:
            raise ConfigError(
                f"max_tokens: {name} reads at most {limit} tokens, got {max_tokens}; give {limit} "
                "or less"
            )
        kept = max_tokens or min(DEFAULT_MAX_TOKENS, limit or DEFAULT_MAX_TOKENS)
        if backbone.pooling == "native":
            agree_on_marks(backbone.model.config, tokenizer)
        reader = Reader.of(tokenizer, kept, chat=uses_chat(tokenizer, chat, name))
        cut_as_fitted(tokenizer, kept)
        reward = cls(backbone, head, reader)
        return reward.eval().to(device or default_device())

    @property
    def new(self) -> frozenset[str]:
        """The names of the parameters that no pretraining has seen: the head, and its pooler."""
        # An adapter puts its own names before those of the model.
        ends = tuple(f".{name}" for name in self.backbone.fresh)
        names = (name for name, _ in self.named_parameters())
        return frozenset(n for n in names if n.startswith("head.") or (ends and n.endswith(ends)))

    def adapt(self, lora: Lora | None = None, *, freeze_layers: int = 0, seed: int = 0) -> None:
        """Choose what learns: everything above the frozen layers, or adapters and what is new."""
        backbone = self.backbone
        assert not isinstance(backbone.model, PeftModel)
        backbone.model = choose_trainable(
            backbone.model, freeze_layers=freeze_layers, lora=lora, fresh=backbone.fresh, seed=seed
        )

    def settle(self, prompts: Sequence[str], completions: Sequence[str]) -> None:
        """End a fit on these texts: adapters merged, scores standardised, what is familiar kept."""
        self.backbone.model = merged(self.backbone.model)
        self.requires_grad_(False)
        self.standardise(prompts, completions)
        if len(prompts) >= FEWEST_FAMILIAR:
            features = self.features(prompts, completions)
            self.familiar = Familiar.of(features.cpu().numpy(), self.score(prompts, completions))

    def forward(self, tokens: TokenRows, *, half: bool = False) -> Tensor:
        """Raw scores [B], with gradients; `half`: the backbone multiplies in bfloat16."""
        with torch.autocast(self.head.linear.weight.device.type, torch.bfloat16, enabled=half):
            features = self.backbone(tokens)
        return self.scale.mean + self.scale.std * self._standardised(features.float())

    def _standardised(self, features: Tensor) -> Tensor:
        return self.head(features[:, None])[:, 0] - self._shift

    @property
    def _shift(self) -> float:
        """What a head without a bias still adds to every standardised score."""
        return 0.0 if self.head.linear.bias is not None else self.scale.mean / self.scale.std

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """Standardised scores, one per row, from batches of similar length; higher is better."""
        check_rows(prompts, completions)

        def standardised(tokens: TokenRows) -> Tensor:
            return self._standardised(self.backbone(tokens))

        room = self.batch_size * self.reader.max_tokens
        scores = score_rows(self.reader, prompts, completions, standardised, tokens=room)
        return check_scores(scores, len(prompts), "reward")

    def raw_scores(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """Scores as they were fitted, before standardising: differences are log-odds."""
        return [self.scale.mean + self.scale.std * s for s in self.score(prompts, completions)]

    @torch.no_grad()
    def features(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """What the head sees, [B, D]: for a user's own head on top of the pooled model."""
        check_rows(prompts, completions)
        found = [
            self.backbone(self.reader.rows(prompts[i : i + size], completions[i : i + size]))
            for size in [self.batch_size]
            for i in range(0, len(prompts), size)
        ]
        return torch.cat(found)

    def identity(self) -> str:
        """The same for the same model, scale, tokenizer and way of reading: a cache's key."""
        ways = (asdict(self.scale), self.reader.max_tokens, self.reader.chat, self.backbone.pooling)
        which = model_id(self, self.backbone.model.config, self.reader.tokenizer)
        return content_id("learned", which, ways)

    def standardise(self, prompts: Sequence[str], completions: Sequence[str]) -> None:
        """Rescale so that these completions score mean 0 and standard deviation 1.

        DataError when they all score the same: such a reward has nothing to say.
        """
        scores = torch.tensor(self.score(prompts, completions), dtype=torch.float64)
        std = scores.std(correction=0).item()
        if self.scale.std * std < 1e-8:
            raise DataError(
                f"reward: all {len(scores)} training completions score {scores[0]:.4g}; "
                "raise lr or epochs, or check the pairs"
            )
        self.rescale(scores.mean().item(), std)

    @torch.no_grad()
    def rescale(self, mean: float, std: float) -> None:
        """From now on a score is (score - mean) / std, by the weights of the head themselves."""
        before, linear = self.scale, self.head.linear
        self.scale = Scale(before.mean + before.std * mean, before.std * std)
        linear.weight.div_(std)
        if linear.bias is not None:
            linear.bias.sub_(mean).div_(std)

    def save(self, path: str | Path) -> None:
        """Write the backbone and tokenizer as Hugging Face does, head.safetensors, reward.json.

        With native pooling the model holds its head, and transformers loads it by
        `AutoModelForSequenceClassification.from_pretrained(path)`; the tokenizer cuts as the fit.
        """
        path = Path(path)
        save_backbone(self.backbone, self.head, path)
        self.reader.tokenizer.save_pretrained(path)
        # Apart as well, bias and all: a value model may start from it.
        bias = self.head.linear.bias
        bias = torch.full((1,), -self._shift) if bias is None else bias
        head = {"linear.weight": self.head.linear.weight, "linear.bias": bias}
        save_file({n: t.detach().contiguous().cpu() for n, t in head.items()}, path / HEAD)
        if self.familiar is not None:
            self.familiar.save(path / FAMILIAR)
        about = {
            "format": FORMAT,
            "pooling": self.backbone.pooling,
            "causal": self.backbone.causal,
            "max_tokens": self.reader.max_tokens,
            "chat": self.reader.chat,
            "scale": asdict(self.scale),
        }
        # Last: a directory with reward.json is whole.
        write_bytes(path / "reward.json", (json.dumps(about, indent=1) + "\n").encode())

    @classmethod
    def load(
        cls, path: str | Path, *, device: str | None = None, batch_size: int = 32
    ) -> LearnedReward:
        """Read what `save` wrote; DataError where it is not a saved reward."""
        path = Path(path)
        about = _about(path)
        reward = cls.start(
            str(path),
            pooling=about["pooling"],
            max_tokens=about["max_tokens"],
            chat=about["chat"],
            device=device,
        )
        if not reward.backbone.slot:
            reward.head.load_state_dict(load_file(path / HEAD))
        if (path / FAMILIAR).is_file():
            reward.familiar = Familiar.load(path / FAMILIAR)
        reward.scale = Scale(**about["scale"])
        reward.batch_size = batch_size
        return reward


def _about(path: Path) -> dict:
    try:
        about = json.loads((path / "reward.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: holds no learned reward (no reward.json); check it") from None
    except ValueError as error:
        raise DataError(f"{path}/reward.json is damaged ({error}); fit the reward again") from None
    if about.get("format") != FORMAT:
        raise DataError(
            f"{path}: expected the format '{FORMAT}', got '{about.get('format')}'; fit it again"
        )
    return about
