"""The checks before the first step: refuse to train on a loop that is wired wrongly."""

from __future__ import annotations

from collections.abc import Sequence

from humanalign.align.rollout import Rollout
from humanalign.decoding import Sampling
from humanalign.errors import ConfigError, DataError, RunError
from humanalign.objectives.kl import k1
from humanalign.settings import AlignConfig
from humanalign.types import Prompt

# Forwards of the same rows with and without a cache differ by about 1e-5 nats a token in float32;
# in bfloat16 by up to .12 on the models tried, and what matters there is a gap far above rounding.
SAME = 1e-3
ROUNDING = {"float32": SAME, "bfloat16": 0.5}


def check_prompts(prompts: Sequence[Prompt], config: AlignConfig) -> None:
    """ConfigError or DataError where no batch can be made of these prompts and settings."""
    if not prompts:
        raise DataError("there are no prompts to align on; give prompts=FILE with at least one")
    check_settings(config)


def check_settings(config: AlignConfig) -> None:
    """ConfigError where the settings alone say that no batch can be made."""
    if config.temperature == 0:
        raise ConfigError("temperature: expected above 0 for learning from samples, got 0")
    if config.method != "ppo" and (config.batch % config.group or config.group < 2):
        raise ConfigError(
            f"group: expected 2 or more and a divisor of batch={config.batch}, got {config.group}"
        )
    if config.minibatches > config.batch:
        raise ConfigError(
            f"minibatches: expected at most batch={config.batch}, got {config.minibatches}"
        )


def check_first_rollout(rollout: Rollout, sampling: Sampling, dtype: str = "float32") -> None:
    """RunError unless policy = reference, sampler = trainer and the answers are not all empty."""
    batch = rollout.batch
    gap = float(k1(batch.logprobs, batch.ref_logprobs)[batch.mask].abs().max())
    if gap > SAME:
        raise RunError(
            f"the reference is not the policy that training starts from: their log-probabilities "
            f"differ by {gap:.4f} nats at step 0; load both from the same model and adapter"
        )
    if rollout.sampler_gap > ROUNDING[dtype]:
        raise RunError(
            f"the sampler's log-probabilities differ from the trainer's by "
            f"{rollout.sampler_gap:.4f} nats (temperature {sampling.temperature}); "
            "use float32, or a model whose cache gives the same numbers"
        )
    if not any(text.strip() for text in rollout.texts):
        raise RunError(
            f"all {len(rollout.texts)} first answers are empty; look at the prompt's template"
        )
