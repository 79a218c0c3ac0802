"""The learned reward: a language model with a scalar head, in the place of the human labeler.

It reads prompt and response, right-padded, and returns one number per response, standardised so
that the completions it was trained on score mean 0 and standard deviation 1 (METHODS: PPO's
coefficients mean the same for every reward model).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from humanalign.errors import ConfigError, DataError
from humanalign.heads import ScalarHead
from humanalign.hub import locate
from humanalign.models import default_device
from humanalign.reward.backbone import Backbone, Pooling, load_backbone, save_backbone
from humanalign.reward.reading import Reader, TokenRows, load_tokenizer, token_limit
from humanalign.reward.scoring import check_rows, check_scores, in_batches
from humanalign.rows import write_bytes
from humanalign.types import EvalResult

FORMAT = "humanalign-reward-1"
DEFAULT_MAX_TOKENS = 256


@dataclass(frozen=True)
class Scale:
    """What turns a raw score into a standardised one: (raw - mean) / std."""

    mean: float = 0.0
    std: float = 1.0


class LearnedReward(nn.Module):
    """A RewardModel with weights. `forward` gives raw scores with gradients, `score` floats."""

    def __init__(self, backbone: Backbone, head: ScalarHead, reader: Reader) -> None:
        super().__init__()
        self.backbone, self.head, self.reader = backbone, head, reader
        self.scale = Scale()
        self.batch_size = 32
        # Held-out pair accuracy, known to who fitted the model; run.json keeps it for the others.
        self.accuracy: EvalResult | None = None

    @classmethod
    def start(
        cls,
        name: str,
        *,
        pooling: Pooling | None = None,
        max_tokens: int | None = None,
        device: str | None = None,
        seed: int = 0,
    ) -> LearnedReward:
        """An untrained reward: a pretrained backbone under a random head, std 1/sqrt(D + 1).

        A head that starts at 0 holds the backbone's gradient back so long that small data never
        gets through. `max_tokens` counts prompt and response together; by default 256, or the
        backbone's limit. ConfigError when it is beyond that limit.
        """
        folder = locate(name)
        tokenizer, backbone = load_tokenizer(folder), load_backbone(folder, pooling=pooling)
        limit = token_limit(tokenizer, backbone.positions)
        if max_tokens is not None and limit is not None and max_tokens > limit:
            raise ConfigError(f"max_tokens: {name} reads at most {limit} tokens, got {max_tokens}")
        kept = max_tokens or min(DEFAULT_MAX_TOKENS, limit or DEFAULT_MAX_TOKENS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = ScalarHead(backbone.hidden_size, zero=False)
        reward = cls(backbone, head, Reader.of(tokenizer, kept))
        return reward.eval().to(device or default_device())

    def forward(self, tokens: TokenRows) -> Tensor:
        """Raw scores [B]."""
        return self.head(self.backbone(tokens)[:, None])[:, 0]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """Standardised scores, one per row, from batches of similar length; higher is better."""
        raw = self.raw_scores(prompts, completions)
        return [(value - self.scale.mean) / self.scale.std for value in raw]

    def raw_scores(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """Scores as the head gives them, before standardising."""
        check_rows(prompts, completions)
        lengths = [len(p) + len(c) for p, c in zip(prompts, completions, strict=True)]

        @torch.inference_mode()
        def batch(rows: list[int]) -> list[float]:
            asked, said = [prompts[i] for i in rows], [completions[i] for i in rows]
            return self(self.reader.rows(asked, said)).tolist()

        return check_scores(in_batches(lengths, self.batch_size, batch), len(lengths), "reward")

    @torch.no_grad()
    def features(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """What the head sees, [B, D]: for a user's own head on top of the pooled model."""
        check_rows(prompts, completions)
        return self.backbone(self.reader.rows(prompts, completions))

    def standardise(self, prompts: Sequence[str], completions: Sequence[str]) -> None:
        """Set the scale so that these completions score mean 0 and standard deviation 1.

        DataError when they all score the same: such a reward has nothing to say.
        """
        raw = torch.tensor(self.raw_scores(prompts, completions), dtype=torch.float64)
        std = raw.std(correction=0).item()
        if std < 1e-8:
            raise DataError(
                f"reward: all {len(raw)} training completions score {raw[0]:.4g}; "
                "raise lr or epochs, or check the pairs"
            )
        self.scale = Scale(raw.mean().item(), std)

    def save(self, path: str | Path) -> None:
        """Write the backbone and tokenizer as Hugging Face does, head.safetensors, reward.json."""
        path = Path(path)
        save_backbone(self.backbone, path)
        self.reader.tokenizer.save_pretrained(path)
        head = {key: value.contiguous().cpu() for key, value in self.head.state_dict().items()}
        save_file(head, path / "head.safetensors")
        about = {
            "format": FORMAT,
            "pooling": self.backbone.pooling,
            "max_tokens": self.reader.max_tokens,
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
            str(path), pooling=about["pooling"], max_tokens=about["max_tokens"], device=device
        )
        reward.head.load_state_dict(load_file(path / "head.safetensors"))
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
