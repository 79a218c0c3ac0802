"""Runs in trl 0.11.4's environment: its own functions on our tensors.

`python peer_trl.py CASES.pt ANSWERS.pt`: reads a list of cases (dicts of tensors and settings, see
conftest.py) and writes what trl makes of each, a list of dicts of tensors.
"""

from __future__ import annotations

import sys
from types import MethodType, SimpleNamespace

import torch
from trl import PPOConfig, PPOTrainer
from trl.core import entropy_from_logits, masked_mean, masked_var, masked_whiten
from trl.trainer.utils import AdaptiveKLController

PENALTIES = {"k1": "kl", "k2": "mse", "full": "full"}  # our names and trl's


def trainer(case: dict, penalty: str) -> SimpleNamespace:
    """What the formulas of a trainer read of it: its settings and its coefficient, no model."""
    config = PPOConfig(
        kl_penalty=PENALTIES[penalty],
        gamma=case["gamma"],
        lam=case["lam"],
        cliprange=case["clip"],
        cliprange_value=case["value_clip"],
        vf_coef=1.0,
    )
    it = SimpleNamespace(config=config, kl_ctl=SimpleNamespace(value=case["kl_coef"]))
    it._kl_penalty = MethodType(PPOTrainer._kl_penalty, it)
    return it


def rewards(case: dict) -> dict[str, torch.Tensor]:
    answer = {}
    for penalty in PENALTIES:
        kind = "logits" if penalty == "full" else "logprobs"
        per_token, _, kl = PPOTrainer.compute_rewards(
            trainer(case, penalty),
            case["scores"],
            case[kind].log_softmax(-1) if penalty == "full" else case[kind],
            case[f"ref_{kind}"].log_softmax(-1) if penalty == "full" else case[f"ref_{kind}"],
            case["mask"].long(),
        )
        answer |= {f"kl_{penalty}": kl, f"rewards_{penalty}": per_token}
    return answer


def advantages(case: dict, per_token: torch.Tensor) -> dict[str, torch.Tensor]:
    mask = case["mask"].to(per_token.dtype)
    values, whitened, returns = PPOTrainer.compute_advantages(
        trainer(case, "k1"), case["values"], per_token, mask
    )
    return {"values": values, "whitened_advantages": whitened, "returns": returns}


def losses(case: dict) -> dict[str, torch.Tensor]:
    logits = case["new_logits"].clone().requires_grad_()
    values = case["new_values"].clone().requires_grad_()
    new = logits.log_softmax(-1).gather(-1, case["ids"][..., None])[..., 0]
    policy, value, stats = PPOTrainer.loss(
        trainer(case, "k1"),
        case["logprobs"],
        case["values"],
        logits,
        values,
        new,
        case["mask"].long(),
        case["given_advantages"],
        case["given_returns"],
    )
    (policy + value).backward()
    return {
        "policy_loss": policy.detach(),
        "value_loss": value.detach(),
        "entropy": stats["policy/entropy"],
        "entropies": entropy_from_logits(case["new_logits"]),
        "clip_fraction": stats["policy/clipfrac"],
        "policy_kl": stats["policy/policykl"],
        "logits_gradient": logits.grad,
        "values_gradient": values.grad,
    }


def moments(case: dict) -> dict[str, torch.Tensor]:
    values, mask = case["values"], case["mask"].long()
    return {
        "mean": masked_mean(values, mask),
        "row_means": masked_mean(values, mask, axis=1),
        "variance": masked_var(values, mask, unbiased=False),
        "whitened_values": masked_whiten(values, mask),
    }


def coefficients(case: dict) -> dict[str, torch.Tensor]:
    controller = AdaptiveKLController(case["kl_coef"], 6.0, 10_000)
    seen = []
    for kl in case["kl_history"]:
        controller.update(kl, 64)
        seen.append(controller.value)
    return {"coefficients": torch.tensor(seen, dtype=torch.float64)}


def main(asked: str, answered: str) -> None:
    answers = []
    for case in torch.load(asked):
        answer = rewards(case)
        answer |= advantages(case, answer["rewards_k1"])
        answers.append(answer | losses(case) | moments(case) | coefficients(case))
    torch.save(answers, answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
