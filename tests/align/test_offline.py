"""One loop, every preference loss: the reference's numbers, the loss, and what it teaches."""

import json
import math

import pytest
import torch

from humanalign.align.offline import offline, pairs_loss, preference_loss, refer, sampled_kl
from humanalign.errors import ConfigError, DataError
from humanalign.models import Lora, Policy
from humanalign.objectives.registry import names
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.types import PreferencePair

from . import bundled
from .tiny_policies import FAMILIES

CLOSE = 1e-4
PAIRS = [PreferencePair(f"w{i} you", f"w{i} good", f"w{i} is rude !") for i in range(16)]


@pytest.fixture(params=FAMILIES)
def policy(request, tmp_path) -> Policy:
    return FAMILIES[request.param](tmp_path / "start")


def logp(policy: Policy, prompt: str, answer: str) -> float:
    """log pi(answer, EOS | prompt), one row alone."""
    with torch.no_grad():
        return policy.logprobs(policy.encode([prompt], [answer])).sum().item()


def accuracy_on(policy: Policy, pairs: list[PreferencePair]) -> float:
    """How often the chosen answer gained more log-probability than the rejected one."""
    rows = []
    for pair in pairs:
        with policy.reference():
            before = [logp(policy, pair.prompt, text) for text in (pair.chosen, pair.rejected)]
        after = [logp(policy, pair.prompt, text) for text in (pair.chosen, pair.rejected)]
        rows.append(after[0] - before[0] > after[1] - before[1])
    return sum(rows) / len(rows)


@pytest.mark.parametrize("method", names("preference"))
def test_every_preference_loss_teaches_the_preference(tmp_path, method):
    policy = FAMILIES["t5"](tmp_path)
    unseen = [PreferencePair(f"w{i} are", f"w{i} good", f"w{i} is rude !") for i in range(20, 30)]
    offline(policy, PAIRS, method=method, lr=2e-3, epochs=4, batch=8)
    assert accuracy_on(policy, unseen) == 1.0


def test_the_reference_is_scored_once_and_each_row_keeps_its_own(policy):
    policy.freeze_reference()
    pairs = [PreferencePair("w1 w2 w3", "w4", "w5 w6 w7"), PreferencePair("w8", "w9 w1", "w2")]
    for row, pair in zip(refer(policy, pairs, batch_size=1), pairs, strict=True):
        assert row.ref_chosen == pytest.approx(logp(policy, pair.prompt, pair.chosen), abs=CLOSE)
        assert row.ref_rejected == pytest.approx(
            logp(policy, pair.prompt, pair.rejected), abs=CLOSE
        )


def test_the_first_dpo_loss_is_log_2_for_every_pair(policy):
    policy.freeze_reference()
    rows = refer(policy, PAIRS)
    loss = pairs_loss(policy, rows, *preference_loss("dpo", {}))
    assert loss.total.item() / loss.count == pytest.approx(math.log(2), abs=CLOSE)
    assert loss.metrics["log_ratio_chosen"] == pytest.approx(0, abs=CLOSE)


def test_the_dpo_loss_is_that_of_log_probabilities_taken_one_by_one(policy):
    pairs = [
        PreferencePair("w1 w2 w3", "w4", "w5 w6 w7", weight=2.0),
        PreferencePair("w8", "w9 w1", "w2", weight=0.5),
    ]
    policy.freeze_reference()
    rows = refer(policy, pairs)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(1.01)
    expected = 0.0
    for row in rows:
        pair = row.pair
        gained = logp(policy, pair.prompt, pair.chosen) - row.ref_chosen
        lost = logp(policy, pair.prompt, pair.rejected) - row.ref_rejected
        expected += pair.weight * math.log1p(math.exp(-0.2 * (gained - lost)))
    loss = pairs_loss(policy, rows, *preference_loss("dpo", {"beta": 0.2}))
    assert loss.total.item() == pytest.approx(expected, abs=CLOSE)
    assert loss.count == 2.5


def test_the_divergence_of_an_untrained_policy_is_0(policy):
    policy.freeze_reference()
    kl = sampled_kl(policy, ["w1", "w2 w3"], Sampling(max_new_tokens=8))
    assert kl == pytest.approx(0, abs=CLOSE)


def test_an_adapter_that_was_trained_before_is_its_own_reference(tmp_path):
    # "Adapter off" would be another model: the fault that shows KL 2.72 at step 0.
    FAMILIES["t5"](tmp_path / "base")
    policy = Policy.load(tmp_path / "base", lora=Lora(rank=4), device="cpu")
    offline(policy, PAIRS, lr=1e-2, epochs=2, batch=8)
    policy.freeze_reference()
    assert sampled_kl(policy, ["w1", "w2 w3"], Sampling(max_new_tokens=8)) == pytest.approx(
        0, abs=CLOSE
    )
    loss = pairs_loss(policy, refer(policy, PAIRS), *preference_loss("dpo", {}))
    assert loss.total.item() / loss.count == pytest.approx(math.log(2), abs=CLOSE)


def test_a_run_holds_the_policy_the_metrics_and_the_divergence(policy, tmp_path):
    run = Run.open(tmp_path / "run", stage="align", config={})
    offline(policy, PAIRS, run=run, lr=2e-3, epochs=2, batch=8, max_new_tokens=8)
    rows = run.metrics()
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert {"align/loss", "align/accuracy", "align/margin"} <= set(rows[0])
    summary = json.loads((run.path / "run.json").read_text())["summary"]
    assert (summary["steps"], summary["method"]) == (4, "dpo")
    again = Policy.load(run.path, device="cpu")
    assert logp(again, "w1 you", "good") == pytest.approx(logp(policy, "w1 you", "good"), abs=CLOSE)


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path):
    straight = FAMILIES["t5"](tmp_path / "a")
    offline(straight, PAIRS, lr=2e-3, epochs=2, batch=8)
    run = Run.open(tmp_path / "run", stage="align", config={})
    stopped, resumed = FAMILIES["t5"](tmp_path / "b"), FAMILIES["t5"](tmp_path / "c")

    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        offline(
            stopped,
            PAIRS,
            run=run,
            lr=2e-3,
            epochs=2,
            batch=8,
            checkpoint_every=2,
            progress=interrupt,
        )
    offline(resumed, PAIRS, run=run, lr=2e-3, epochs=2, batch=8, checkpoint_every=2)
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert [row["step"] for row in run.metrics()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"method": "dop"}, ConfigError, "did you mean 'dpo'"),
        ({"objective": {"bta": 0.1}}, ConfigError, "unknown key 'bta'; did you mean 'beta'"),
        ({"objective": {"beta": 0}}, ConfigError, "expected a number above 0, got 0"),
    ],
)
def test_a_wrong_method_or_parameter_is_refused_before_training(tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        offline(FAMILIES["t5"](tmp_path), PAIRS, **options)


def test_no_pairs_is_refused(tmp_path):
    with pytest.raises(DataError, match="there are none"):
        offline(FAMILIES["t5"](tmp_path), [])


@pytest.mark.slow
def test_dpo_lowers_the_gold_toxicity_of_the_bundled_model():
    policy = bundled.tiny_instruct()
    before = bundled.toxicities(policy)
    offline(policy, bundled.preferences(), lr=3e-4, epochs=2, batch=16)
    assert bundled.change(before, bundled.toxicities(policy)).ci_high < 0
