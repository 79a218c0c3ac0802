"""The checks before the first step: refuse to train on a loop that is wired wrongly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from humanalign.align.best import WINDOW
from humanalign.align.rollout import Rollout, scores_of
from humanalign.decoding import Sampling
from humanalign.errors import ConfigError, DataError, RunError
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens
from humanalign.objectives.kl import k1
from humanalign.settings import AlignConfig
from humanalign.types import Prompt, RewardModel

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
    if config.checkpoint.best and config.steps < WINDOW:
        raise ConfigError(
            f"checkpoint.best: it is a mean over {WINDOW} steps, got steps={config.steps}; "
            "leave it out"
        )
    check_dtype(config)
    if config.method != "ppo" and (config.value.model or config.value.warmup):
        raise ConfigError(f"value: method={config.method} has no value function; leave it out")


def check_dtype(config: AlignConfig) -> None:
    """ConfigError where weights would be trained that cannot hold the steps."""
    if config.dtype == "bfloat16" and not config.lora.rank:
        raise ConfigError(
            "dtype: bfloat16 weights are too coarse for steps of this size when all of them are "
            "trained, got lora.rank=0; use float32, or lora.rank above 0"
        )


@torch.no_grad()
def check_head(policy: Policy, tokens: Tokens, config: AlignConfig) -> None:
    """RunError where trunk and head apart do not give what the model's own forward gives.

    A family whose head does something that `Policy.logits` does not know would be trained on
    wrong log-probabilities; a few rows show it.
    """
    few = tokens.select(slice(0, 2)).trimmed()
    ours, theirs = policy.forward(few)[0].float(), whole_logits(policy, few).float()
    gap = (ours.log_softmax(-1) - theirs.log_softmax(-1)).abs()[few.response_mask]
    if gap.numel() and float(gap.max()) > ROUNDING[config.dtype] * 10:
        raise RunError(
            f"{policy.name}: its vocabulary head does more than this version knows (log-"
            f"probabilities differ by {float(gap.max()):.3g} nats); use another model family"
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
    if rollout.sampler_gap is not None and rollout.sampler_gap > ROUNDING[dtype]:
        raise RunError(
            f"the sampler's log-probabilities differ from the trainer's by "
            f"{rollout.sampler_gap:.4f} nats (temperature {sampling.temperature}); "
            "use float32, or a model whose cache gives the same numbers"
        )
    if not any(text.strip() for text in rollout.texts):
        raise RunError(
            f"all {len(rollout.texts)} first answers are empty; look at the prompt's template"
        )


def sampler_is_trainer(rollout: Rollout) -> bool:
    """True where the sampler's numbers were measured again and are the trainer's."""
    return rollout.sampler_gap is not None and rollout.sampler_gap <= SAME


def check_sign(reward: RewardModel, config: AlignConfig) -> None:
    """RunError where the reward puts the known bad answer of `reward_check` before the good one."""
    known = config.reward_check
    if known is None:
        return
    given = scores_of(reward, [known.prompt] * 2, [known.good, known.bad], torch.device("cpu"))
    good, bad = given.tolist()
    if good <= bad:
        raise RunError(
            f"the reward gives the good answer {good:.4g} and the bad one {bad:.4g}: its sign or "
            "its label is wrong; choose the other label, or mend reward_check"
        )


def whole_logits(policy: Policy, tokens: Tokens) -> Tensor:
    """Logits [B, T, V] by transformers' own forward, left-padded: slow, and an independent way."""
    if policy.is_encoder_decoder:
        first = torch.full_like(tokens.response_ids[:, :1], policy.decoder_start_id)
        return policy.hf(
            input_ids=tokens.prompt_ids,
            attention_mask=tokens.prompt_mask.long(),
            decoder_input_ids=torch.cat([first, tokens.response_ids[:, :-1]], dim=1),
            use_cache=False,
        ).logits
    ids = torch.cat([tokens.prompt_ids, tokens.response_ids], dim=1)
    mask = torch.cat([tokens.prompt_mask, tokens.response_mask], dim=1).long()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    out = policy.hf(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
    return out.logits[:, tokens.prompt_ids.shape[1] - 1 : -1]
