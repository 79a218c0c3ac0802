"""Adapters, models and settings that would train wrongly in silence are refused in a sentence."""

from __future__ import annotations

import pytest
import torch
from small_policies import EOS, train_adapter

from humanalign.align.learner import Learner
from humanalign.align.methods import check
from humanalign.errors import ConfigError, DataError, RunError
from humanalign.models import Lora, Policy

from .online_toys import settings

TEXTS = ["w1 w2", "w3", "w4 w5", "w6"]


def adapter_in(folder, place, **changes):
    """A saved adapter whose config says more than low-rank matrices."""
    import json

    train_adapter(Policy.load(folder, lora=Lora(rank=2))).save(place)
    about = json.loads((place / "adapter_config.json").read_text())
    (place / "adapter_config.json").write_text(json.dumps(about | changes))
    return place


@pytest.mark.parametrize("changes", [{"modules_to_save": ["lm_head"]}, {"bias": "all"}])
def test_an_adapter_with_more_than_low_rank_matrices_is_refused(llama, tmp_path, changes):
    with pytest.raises(DataError, match=r"merge it into its base first|cannot load"):
        Policy.load(adapter_in(llama, tmp_path / "a", **changes))


def test_a_snapshot_never_rewrites_the_base(llama, tmp_path):
    policy = Policy.load(adapter_in(llama, tmp_path / "a"))
    policy.adapter.peft_config["default"].init_lora_weights = "pissa"
    tokens = policy.encode(TEXTS, ["w7"] * 4)
    before = policy.logprobs(tokens)
    policy.freeze_reference()
    assert torch.equal(policy.logprobs(tokens), before)


def test_a_loss_that_is_not_finite_is_no_early_stop(llama):
    learner = Learner(Policy.load(llama), settings=settings(policy_kl=0.01))
    said = learner.generate(TEXTS)
    with torch.no_grad():
        learner.critic.head.linear.bias.fill_(torch.nan)
    with pytest.raises(RunError, match="the loss is nan"):
        learner.step(TEXTS, said, [1.0, 2.0, 3.0, 4.0])


def test_the_ends_that_a_model_names_count_beside_the_tokenizers(llama):
    policy = Policy.load(llama)
    policy.hf.generation_config.eos_token_id = [EOS, 7, 10**6]
    assert policy.eos_ids == (EOS, 7)


@pytest.mark.parametrize(
    ("method", "rows", "keys"),
    [("ppo", 0, {}), ("ppo", 2, {"minibatches": 3}), ("rloo", 3, {"group": 2})],
)
def test_a_step_of_rows_that_make_no_batch_is_refused(llama, method, rows, keys):
    learner = Learner(Policy.load(llama), settings=settings(method, **keys))
    with pytest.raises(ConfigError, match=f"got {rows} rows"):
        learner.step(TEXTS[:rows], ["w1"] * rows, [0.0] * rows)


def test_a_learner_is_not_loaded_under_other_settings(llama, tmp_path):
    Learner(Policy.load(llama), settings=settings()).save(tmp_path)
    with pytest.raises(RunError, match=r"saved with lr=0\.001, now it is 0\.01"):
        Learner(Policy.load(llama), settings=settings(lr=1e-2)).load(tmp_path)
    with pytest.raises(RunError, match="holds no learner"):
        Learner(Policy.load(llama), settings=settings()).load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"method": "dpo", "ema": 0.9}, "ema: method=dpo has no use for it"),
        ({"method": "dpo", "value": {"warmup": 2}}, "value: method=dpo has no use for it"),
        ({"quantize": "4bit", "lora": {"rank": 0}}, "quantize: 4bit weights cannot be trained"),
        ({"checkpoint": {"best": True}, "steps": 3}, r"checkpoint\.best: it is a mean over 5"),
    ],
)
def test_settings_that_would_be_accepted_in_vain_are_refused(keys, part):
    with pytest.raises(ConfigError, match=part):
        check(settings(**keys))


def test_settings_of_the_library_may_be_dotted(llama):
    learner = Learner(Policy.load(llama), settings={"kl.coef": 0.3, "kl": {"target": 2.0}})
    assert (learner.config.kl.coef, learner.config.kl.target) == (0.3, 2.0)


def test_layers_that_fit_no_target_are_a_sentence(llama):
    with pytest.raises(ConfigError, match=r"lora\.targets: \['nope'\] fit no layer"):
        Policy.load(llama, lora=Lora(rank=2, targets=("nope",)))
