"""Damage done to a copy of the objectives, one line at a time: signs, clamps, masks, positions.

Each mutation is (file, text that occurs there once, what replaces it). A mutation that no golden
row notices means that the rows are too weak.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import humanalign.objectives

SOURCE = Path(humanalign.objectives.__file__).parent

MUTATIONS = [
    ("masked.py", "torch.where(mask, values, torch.zeros_like(values))", "values"),
    ("masked.py", "total(values, mask, dim) / count.clamp(min=1)", "values.mean()"),
    ("masked.py", "mean((values - mean(values, mask)) ** 2, mask)", "values[mask].var()"),
    ("masked.py", "(values - over.mean) * torch.rsqrt", "values * torch.rsqrt"),
    ("masked.py", "torch.rsqrt(over.variance + eps)", "torch.rsqrt(over.variance + 1)"),
    ("masked.py", "share * (1 - share) * gap**2", "share * gap**2"),
    ("masked.py", "total(losses * weights, weights != 0) / count", "(losses * weights).mean()"),
    ("masked.py", "total(losses * weights, weights != 0)", "total(losses, weights != 0)"),
    ("kl.py", "return logprobs - ref_logprobs", "return ref_logprobs - logprobs"),
    ("kl.py", "return logprobs - ref_logprobs", "return (logprobs - ref_logprobs).clamp(min=0)"),
    ("kl.py", "0.5 * (logprobs", "(logprobs"),
    ("kl.py", "(ref_logprobs - logprobs).clamp", "(logprobs - ref_logprobs).clamp"),
    ("kl.py", ".clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)", ""),
    ("kl.py", ".masked_fill(p == 0, 0.0)", ""),
    ("kl.py", "logp - log_softmax(ref_logits)", "log_softmax(ref_logits) - logp"),
    ("kl.py", "p = logp.exp()", "p = log_softmax(ref_logits).exp()"),
    ("kl.py", "kl / self.target - 1", "1 - kl / self.target"),
    ("kl.py", "min(max(kl / self.target - 1, -0.2), 0.2)", "kl / self.target - 1"),
    ("kl.py", "error * samples / self.horizon", "error / self.horizon"),
    ("vocabulary.py", "picked).squeeze(-1)", "picked - picked).squeeze(-1)"),
    ("vocabulary.py", "start : start + chunk", "start : start + 1"),
    ("reward.py", "after == 1", "after == 2"),
    ("reward.py", "mask & (after == 1)", "after == 1"),
    ("reward.py", "-kl_coef * kl,", "kl_coef * kl,"),
    ("reward.py", "torch.where(mask, -kl_coef * kl, torch.zeros_like(kl))", "-kl_coef * kl"),
    ("reward.py", "return penalty + at_last", "return penalty - at_last"),
    ("reward.py", "(finished, scores, charged)", "(finished, charged, scores)"),
    ("reward.py", "scores - penalty if", "scores + penalty if"),
    ("reward.py", "torch.where(std > eps, std, torch.ones_like(std))", "(std + eps)"),
    ("reward.py", "scores.clamp(-limit, limit)", "scores.clamp(max=limit)"),
    ("advantage.py", "gamma * next_value - value", "next_value - value"),
    ("advantage.py", "gamma * next_value - value", "gamma * next_value + value"),
    ("advantage.py", "gamma * lam * running, running", "lam * running, running"),
    ("advantage.py", "delta + gamma * lam * running, running", "delta, running"),
    ("advantage.py", "torch.where(real, value, next_value)", "value"),
    ("advantage.py", "torch.where(mask, advantages + values, ", "torch.where(mask, advantages, "),
    ("advantage.py", "lam: Fraction = 0.95", "lam: Fraction = 1.0"),
    ("advantage.py", "gamma=gamma, lam=1.0", "gamma=gamma, lam=0.95"),
    ("advantage.py", "/ (group_size - 1)", "/ group_size"),
    ("advantage.py", "groups - groups.mean(1, keepdim=True)", "groups - groups.mean()"),
    ("advantage.py", "groups.std(1, keepdim=True) + eps", "groups.std() + eps"),
    ("policy.py", "loss = torch.maximum(plain, bounded)", "loss = torch.minimum(plain, bounded)"),
    ("policy.py", "loss = torch.maximum(plain, bounded)", "loss = plain"),
    ("policy.py", "loss = torch.maximum(plain, bounded)", "loss = bounded"),
    ("policy.py", "(new - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)", "(new - old)"),
    ("policy.py", "(new - old).clamp", "(old - new).clamp"),
    ("policy.py", "torch.minimum(loss, -dual_clip", "torch.maximum(loss, -dual_clip"),
    ("policy.py", "advantages < 0", "advantages > 0"),
    ("policy.py", "rho.clamp(1 - clip_range, 1 + clip_range)", "rho.clamp(max=1 + clip_range)"),
    ("policy.py", "return -advantages * rho, ", "return advantages * rho, "),
    ("policy.py", ".detach().clamp(max=max_ratio)", ".detach()"),
    ("policy.py", "-advantages * weight * new", "advantages * weight * new"),
    ("policy.py", "torch.maximum(loss, (near - returns) ** 2)", "(near - returns) ** 2"),
    ("policy.py", "return 0.5 * loss", "return loss"),
    ("policy.py", "bounded > plain", "bounded >= plain"),
    ("policy.py", "return old - new", "return new - old"),
    ("policy.py", "-(p * logp", "(p * logp"),
    ("preference.py", "return chosen - rejected\n", "return rejected - chosen\n"),
    ("preference.py", "- label_smoothing * logsigmoid(-logit)", ""),
    ("preference.py", "right - label_smoothing * wrong", "right + label_smoothing * wrong"),
    ("preference.py", "/ (1 - 2 * label_smoothing)", ""),
    ("preference.py", "- 1 / (2 * beta)) ** 2", "- 1 / beta) ** 2"),
    ("preference.py", "= rejected / pairs.rejected_length", "= rejected / pairs.chosen_length"),
    ("preference.py", ").clamp(min=0)", ")"),
    ("preference.py", "-beta * (chosen - reference_point)", "-beta * chosen"),
    ("preference.py", "(reference_point - rejected)", "(rejected - reference_point)"),
    ("preference.py", "good + undesirable * ", "good + "),
    ("preference.py", "preference + nll_coef * nll", "preference - nll_coef * nll"),
    ("preference.py", "(chosen - rejected) - gamma", "(chosen - rejected) + gamma"),
    ("preference.py", "pairs.rejected / pairs.rejected", "pairs.rejected / pairs.chosen"),
    ("preference.py", "return -chosen - beta", "return chosen - beta"),
    ("preference.py", "logp - torch.log(-torch.expm1(logp))", "logp"),
    ("preference.py", "logsigmoid(gap - margin)", "logsigmoid(gap + margin)"),
    ("preference.py", "logsigmoid(-gap - margin)", "logsigmoid(gap - margin) "),
    ("preference.py", "(1 - target) * backward", "target * backward"),
    ("ilql.py", "(u < 0)", "(u > 0)"),
    ("ilql.py", "u = targets - values", "u = values - targets"),
    ("ilql.py", "torch.where(mask, v.detach(), torch.zeros_like(v))", "v.detach()"),
    ("ilql.py", "(known[:, 1:], torch.zeros_like(known[:, :1]))", "(known[:, :-1], known[:, :1])"),
    ("ilql.py", "rewards + gamma * following", "rewards + following"),
    ("ilql.py", "gamma * lam * (running", "lam * (running"),
    ("ilql.py", "gamma * lam * (running", "gamma * (running"),
    ("ilql.py", "(running - behind)", "running"),
    ("ilql.py", "torch.where(real, mixed, torch.zeros_like(mixed))", "mixed"),
    ("ilql.py", "mixed = target + ", "mixed = target - "),
    ("ilql.py", "returns[::-1]", "returns"),
    ("ilql.py", "lam: Fraction = 0.0", "lam: Fraction = 1.0"),
    ("ilql.py", "gamma=gamma, lam=lam)", "gamma=gamma)"),
    ("ilql.py", "lower = torch.minimum", "lower = torch.maximum"),
    ("ilql.py", '"cql": -sum', '"cql": sum'),
    ("ilql.py", '"awac": -weight * ', '"awac": -'),
    ("ilql.py", "torch.where(mask, t, torch.zeros_like(t))", "t"),
    ("ilql.py", "cql * kept", "kept"),
    ("ilql.py", "torch.minimum(q1, q2) - v", "torch.minimum(q1, q2) + v"),
]  # fmt: skip


def load_copy(folder: Path, name: str, file: str, old: str, new: str) -> ModuleType:
    """The objectives, copied into `folder` with one text replaced, as a package called `name`.

    ValueError when the text does not occur exactly once: the table no longer fits the source.
    """
    copy = folder / name
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    if text.count(old) != 1:
        raise ValueError(f"{file}: {text.count(old)} occurrences of {old!r}, expected 1")
    (copy / file).write_text(text.replace(old, new))
    spec = importlib.util.spec_from_file_location(
        name, copy / "__init__.py", submodule_search_locations=[str(copy)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


def forget(name: str) -> None:
    """Remove a copy and its modules from Python's memory."""
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]
