"""The value function: how much reward is still expected at each token.

Four forms. A head on the policy's own trunk (the default, and the cheapest); a second adapter over
the policy's base, which learns to predict without disturbing what it says; a value model of its
own (Stiennon et al. 2020, arXiv 2009.01325); or one that starts from a learned reward, trunk and
head (Ouyang et al. 2022, arXiv 2203.02155). Letters: B rows, T response positions, N tokens,
D hidden size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from humanalign.errors import ConfigError, DataError
from humanalign.heads import ScalarHead
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens


class Critic:
    """A scalar head, and what it stands on: the policy's states, or states of its own.

    `trunk` makes its own states [B, T, D], from the parameters `learns`; None shares the policy's.
    Forward and backward of its own states belong inside `applied`: activations that are
    recomputed in backward must be recomputed by the same adapter.
    """

    def __init__(
        self,
        head: ScalarHead,
        trunk: Policy | None = None,
        learns: Mapping[str, nn.Parameter] | None = None,
        applied: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.head, self.trunk, self.learns = head, trunk, dict(learns or {})
        self.applied = applied

    @classmethod
    def named(cls, name: str | None, policy: Policy, *, seed: int = 0) -> Critic:
        """The critic that value.model names: None, "adapter", a model or a reward run."""
        if name is None:
            return cls.on(policy)
        if name != "adapter":
            return cls.load(name, policy)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls.beside(policy)

    @classmethod
    def on(cls, policy: Policy) -> Critic:
        """A head of zeros on the policy's own hidden states: the first estimates are all 0."""
        return cls(ScalarHead(policy.hidden_size).to(policy.device))

    @classmethod
    def beside(cls, policy: Policy) -> Critic:
        """A head of zeros on a second adapter over the same base weights."""
        own = {f"value_adapter.{n}": p for n, p in policy.critic_parameters().items()}
        head = ScalarHead(policy.hidden_size).to(policy.device)
        return cls(head, policy, own, policy.as_critic)

    @classmethod
    def load(cls, name: str, policy: Policy) -> Critic:
        """A value model of its own, from any language model or from a reward run.

        ConfigError where it cannot read the policy's tokens, or is an encoder, whose state at a
        token would know the tokens that come after it.
        """
        folder = reward_folder(name)
        about = json.loads((folder / "reward.json").read_text("utf-8")) if folder else None
        if about and "causal" not in about:
            raise DataError(f"value.model: {name} was saved by an older version; fit it again")
        if about and not about["causal"]:
            raise ConfigError(
                f"value.model: {name} pools by '{about['pooling']}', so its state at a token knows "
                "the whole answer; a value model needs a causal reward model (pooling=last)"
            )
        trunk = Policy.load(folder or name, device=str(policy.device))
        if trunk.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
            raise ConfigError(
                f"value.model: {name} and {policy.name} have different tokenizers; "
                "name a model with the policy's tokenizer"
            )
        if trunk.is_encoder_decoder != policy.is_encoder_decoder:
            raise ConfigError(
                f"value.model: {name} and {policy.name} are of different kinds (causal, "
                "encoder-decoder); name a model of the policy's kind"
            )
        head = ScalarHead(trunk.hidden_size).to(policy.device)
        if folder:
            # Standardised already: the first estimates are the reward's own scores.
            head.load_state_dict(load_file(folder / "head.safetensors"))
        own = {f"value_model.{n}": p for n, p in trunk.trainable().items()}
        return cls(head, trunk, own)

    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by name: value_head.*, and value_adapter.* or value_model.* of its own."""
        return {f"value_head.{n}": p for n, p in self.head.named_parameters()} | self.learns

    def values(self, tokens: Tokens, hidden: Tensor) -> Tensor:
        """Estimates [B, T] where the policy's hidden states are [B, T, D]."""
        if self.trunk is None:
            return self.head(hidden)
        with self.applied():
            return self.head(self.trunk.hidden(tokens))


def reward_folder(name: str) -> Path | None:
    """The folder of a learned reward, where `name` is one or is the run that fitted it."""
    path = Path(name)
    for folder in (path, path / "model"):
        if (folder / "reward.json").is_file():
            return folder
    return None
