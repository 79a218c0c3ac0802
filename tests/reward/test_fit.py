"""Fitting a reward: known utilities come back, and nothing that should not matter does."""

import json
import math
import random
import shutil

import pytest
import torch
from scipy.stats import spearmanr
from transformers import AutoTokenizer

from humanalign.errors import ConfigError, DataError
from humanalign.models import Lora
from humanalign.reward.fit import fit_reward, pair_accuracy, pair_loss
from humanalign.reward.groups import group_by_prompt, split_pairs
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.run import Run
from humanalign.types import PreferencePair

CLOSE = 1e-5
# What each word is worth to the simulated rater.
WORTH = {f"w{i}": (i - 19.5) / 8 for i in range(40)}


def plain(**own: object) -> Recipe:
    """A recipe for a random model of two layers, which has nothing to lose by learning fast."""
    return Recipe(**{"dropout": 0.0, "layer_decay": 1.0, "warmup": 0.0, **own})  # type: ignore


def utility(text: str) -> float:
    return sum(WORTH[word] for word in text.split())


def texts(rng: random.Random, count: int) -> list[str]:
    return [" ".join(rng.choices(list(WORTH), k=4)) for _ in range(count)]


def simulated_pairs(prompts: int, *, seed: int, noise: bool = True) -> list[PreferencePair]:
    """Every pair of four answers a prompt, judged by Bradley and Terry's own model."""
    rng = random.Random(seed)
    pairs = []
    for number in range(prompts):
        answers = texts(rng, 4)
        prompt = f"{' '.join(rng.choices(list(WORTH), k=3))} {number}"
        for i in range(4):
            for k in range(i + 1, 4):
                gap = utility(answers[i]) - utility(answers[k])
                wins = rng.random() < 1 / (1 + math.exp(-gap)) if noise else gap > 0
                good, bad = (answers[i], answers[k]) if wins else (answers[k], answers[i])
                pairs.append(PreferencePair(prompt, good, bad))
    return pairs


def flipped(pairs: list[PreferencePair]) -> list[PreferencePair]:
    return [PreferencePair(p.prompt, p.rejected, p.chosen, p.weight) for p in pairs]


@pytest.fixture(scope="module")
def fitted(encoder) -> LearnedReward:
    """A quick fit, for questions that its quality does not touch."""
    return fit_reward(
        encoder, simulated_pairs(30, seed=1), recipe=plain(lr=1e-3, epochs=1, batch=8)
    )


@pytest.mark.slow
def test_the_utilities_that_made_the_judgements_come_back(calm_encoder):
    reward = fit_reward(
        calm_encoder,
        simulated_pairs(400, seed=2),
        recipe=plain(lr=1e-2, epochs=4, batch=16, pooling="mean"),
    )
    unseen = texts(random.Random(9), 300)
    scores = reward.score(["w1 w2 w3"] * 300, unseen)
    assert spearmanr(scores, [utility(text) for text in unseen]).statistic > 0.95


def test_a_separable_signal_is_learned_with_the_interval_above_chance(calm_encoder):
    pairs = simulated_pairs(120, seed=3, noise=False)
    reward = fit_reward(
        calm_encoder, pairs, recipe=plain(lr=1e-2, epochs=3, batch=16, pooling="mean")
    )
    assert reward.accuracy.ci_low > 0.7
    assert reward.accuracy.ci_low < reward.accuracy.value < reward.accuracy.ci_high


def test_the_order_of_the_pairs_changes_nothing(encoder, fitted):
    shuffled = simulated_pairs(30, seed=1)
    random.Random(0).shuffle(shuffled)
    again = fit_reward(encoder, shuffled, recipe=plain(lr=1e-3, epochs=1, batch=8))
    answers = texts(random.Random(4), 20)
    assert again.score(["w1"] * 20, answers) == fitted.score(["w1"] * 20, answers)


@pytest.mark.parametrize("micro_tokens", [1, 150])
def test_how_a_batch_is_cut_changes_nothing(encoder, fitted, micro_tokens):
    recipe = plain(lr=1e-3, epochs=1, batch=8, micro_tokens=micro_tokens)
    again = fit_reward(encoder, simulated_pairs(30, seed=1), recipe=recipe)
    answers = texts(random.Random(4), 20)
    assert again.score(["w1"] * 20, answers) == pytest.approx(
        fitted.score(["w1"] * 20, answers), abs=1e-3
    )


def test_the_padding_side_of_the_tokenizer_changes_nothing(encoder, fitted, tmp_path):
    left = shutil.copytree(encoder, tmp_path / "left")
    words = AutoTokenizer.from_pretrained(encoder, padding_side="left")
    words.save_pretrained(left)
    again = fit_reward(
        str(left), simulated_pairs(30, seed=1), recipe=plain(lr=1e-3, epochs=1, batch=8)
    )
    assert again.reader.tokenizer.padding_side == "left"
    answers = texts(random.Random(4), 20)
    assert again.score(["w1"] * 20, answers) == fitted.score(["w1"] * 20, answers)


def test_flipped_labels_mirror_the_accuracy(calm_encoder):
    train = simulated_pairs(60, seed=5, noise=False)
    held_out = [p for p in simulated_pairs(60, seed=6) if p.prompt not in {t.prompt for t in train}]
    right = fit_reward(
        calm_encoder, train, held_out, recipe=plain(lr=1e-2, epochs=1, batch=8, pooling="mean")
    )
    wrong = fit_reward(
        calm_encoder,
        flipped(train),
        held_out,
        recipe=plain(lr=1e-2, epochs=1, batch=8, pooling="mean"),
    )
    assert right.accuracy.ci_low > 0.5
    assert wrong.accuracy.ci_low < 1 - right.accuracy.value < wrong.accuracy.ci_high


def test_each_completion_of_a_prompt_is_encoded_once():
    pairs = [PreferencePair("p", a, b) for a, b in [("x", "y"), ("x", "z"), ("y", "z")]]
    (group,) = group_by_prompt(pairs)
    assert group.completions == ("x", "y", "z")
    assert list(zip(group.chosen, group.rejected, strict=True)) == [(0, 1), (0, 2), (1, 2)]


def test_the_loss_is_bradley_terry_summed_over_weighted_pairs(fitted):
    pairs = [
        PreferencePair("w1 w2", "w3", "w4 w5", weight=2.0, margin=0.5),
        PreferencePair("w1 w2", "w3", "w6", weight=1.0),
        PreferencePair("w9", "w7", "w8 w8", weight=0.5, margin=1.0),
    ]
    loss = pair_loss(fitted, group_by_prompt(pairs), plain(margin=0.3))
    expected = 0.0
    for pair in pairs:
        good, bad = fitted.raw_scores([pair.prompt] * 2, [pair.chosen, pair.rejected])
        expected += pair.weight * math.log1p(math.exp(-(good - bad - 0.3 * pair.margin)))
    assert loss.total.item() == pytest.approx(expected, abs=CLOSE)
    assert (loss.count, loss.rows) == (3.5, 3)


def test_a_tie_is_two_halves_and_draws_the_scores_together(fitted):
    tie = [PreferencePair("w1", "w2", "w3", 0.5), PreferencePair("w1", "w3", "w2", 0.5)]
    a, b = fitted.raw_scores(["w1"] * 2, ["w2", "w3"])
    expected = 0.5 * math.log1p(math.exp(b - a)) + 0.5 * math.log1p(math.exp(a - b))
    assert pair_loss(fitted, group_by_prompt(tie)).total.item() == pytest.approx(
        expected, abs=CLOSE
    )


def test_a_tied_label_is_neither_right_nor_wrong(fitted):
    """Three pairs in the model's own order and a tie: all that it could get right, it did."""
    pairs = [PreferencePair("w1", "w2", "w3", 0.5), PreferencePair("w1", "w3", "w2", 0.5)]
    for number in range(5, 8):
        a, b = fitted.raw_scores([f"w{number}"] * 2, ["w2", "w3"])
        pairs.append(PreferencePair(f"w{number}", *(("w2", "w3") if a > b else ("w3", "w2"))))
    found = pair_accuracy(fitted, pairs)
    assert (found.value, found.n) == (1.0, 3)


def test_a_test_part_of_ties_alone_is_a_coin_toss(fitted):
    ties = [PreferencePair(p, *sides) for p in ("w1", "w5") for sides in ("ab", "ba")]
    assert pair_accuracy(fitted, ties).value == 0.5


@pytest.mark.parametrize("wrong", [{"weight": math.inf}, {"margin": math.nan}, {"weight": 0.0}])
def test_a_pair_with_a_weight_or_margin_that_is_no_number_is_refused(wrong):
    (key,) = wrong
    pairs = [*simulated_pairs(10, seed=1), PreferencePair("p", "a", "b", **wrong)]
    with pytest.raises(DataError, match=f"the {key} of a pair must be a number"):
        split_pairs(pairs, None)


def test_a_share_too_small_to_be_fitted_is_left_out_of_the_curve(calm_encoder, tmp_path):
    run = Run.open(tmp_path / "run", stage="reward", config={})
    recipe = plain(lr=1e-2, epochs=1, patience=1, validation=0.2)
    pairs = simulated_pairs(20, seed=5)
    fit_reward(calm_encoder, pairs, recipe=recipe, run=run, curve=[0.05, 0.5])  # 1 prompt of 16
    shares = [point["share"] for point in run.summary["card"]["curve"]["points"]]
    assert shares == [0.5, 1.0]


def test_held_out_prompts_are_never_trained_on():
    pairs = simulated_pairs(50, seed=7)
    train, held_out = split_pairs(pairs, None)
    assert not {p.prompt for p in train} & {p.prompt for p in held_out}
    assert sorted(map(str, train + held_out)) == sorted(map(str, pairs))
    assert 2 <= len({p.prompt for p in held_out}) <= 25


@pytest.mark.parametrize(
    ("pairs", "held_out", "said"),
    [
        ([PreferencePair("p", "a", "b")], [PreferencePair("p", "a", "c")], "1 prompts are in both"),
        ([PreferencePair("p", "a", "b", 0.0)], None, "must be a number above 0, got 0.0"),
        ([PreferencePair("p", "a", "a")], None, "both answers to 'p' are 'a'"),
        ([], None, "0 training and 0 evaluation pairs"),
    ],
)
def test_pairs_that_cannot_be_learned_from_are_refused(encoder, pairs, held_out, said):
    with pytest.raises(DataError, match=said):
        fit_reward(encoder, pairs, held_out)


def test_a_run_holds_the_model_the_metrics_and_the_accuracy(encoder, tmp_path):
    run = Run.open(tmp_path / "reward", stage="reward", config={})
    reward = fit_reward(
        encoder,
        simulated_pairs(30, seed=1),
        run=run,
        device="cpu",
        recipe=plain(lr=1e-3, epochs=2, batch=8),
    )
    rows = run.metrics()
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert {"reward/loss", "reward/accuracy"} <= set(rows[0])
    summary = json.loads((run.path / "run.json").read_text())["summary"]
    assert summary["accuracy"] == reward.accuracy.as_dict()
    assert set(summary["accuracy"]) == {"value", "ci_low", "ci_high", "n"}
    again = LearnedReward.load(run.path / "model")
    answers = texts(random.Random(4), 20)
    assert again.score(["w1"] * 20, answers) == pytest.approx(
        reward.score(["w1"] * 20, answers), abs=CLOSE
    )


def test_the_same_path_gives_back_the_finished_reward(encoder, tmp_path):
    pairs = simulated_pairs(30, seed=1)
    first = fit_reward(encoder, pairs, run=tmp_path / "r", recipe=plain(lr=1e-3, epochs=1, batch=8))
    again = fit_reward(encoder, pairs, run=tmp_path / "r", recipe=plain(lr=1e-3, epochs=1, batch=8))
    assert again.score(["w1"], ["w2"]) == pytest.approx(first.score(["w1"], ["w2"]), abs=CLOSE)


def test_frozen_layers_keep_their_weights_and_the_rest_is_learned(encoder):
    start = LearnedReward.start(encoder, pooling="mean").backbone.model.state_dict()
    reward = fit_reward(
        encoder,
        simulated_pairs(20, seed=3),
        recipe=plain(lr=3e-3, epochs=2, freeze_layers=1, pooling="mean"),
    )
    same = {
        name
        for name, tensor in reward.backbone.model.state_dict().items()
        if torch.equal(tensor, start[name])
    }
    frozen = {name for name in start if "embeddings" in name or "layer.0." in name}
    # The pooler is not read by mean pooling, so it gets no gradient.
    assert same == frozen | {name for name in start if "pooler" in name}


def test_a_lora_fit_is_saved_as_an_ordinary_model(encoder, tmp_path):
    reward = fit_reward(
        encoder, simulated_pairs(30, seed=3), recipe=plain(lr=1e-2, epochs=1, lora=Lora(rank=4))
    )
    reward.save(tmp_path)
    again = LearnedReward.load(tmp_path)
    answers = texts(random.Random(4), 20)
    assert again.score(["w1"] * 20, answers) == pytest.approx(
        reward.score(["w1"] * 20, answers), abs=1e-4
    )
    base = LearnedReward.start(encoder).backbone.model.state_dict()
    attention = "bert.encoder.layer.0.attention.self.query.weight"
    moved = reward.backbone.model.state_dict()[attention] - base[attention]
    assert torch.linalg.matrix_rank(moved, atol=1e-4) == 4


def test_adapters_for_layers_that_are_not_there_are_refused(encoder):
    with pytest.raises(ConfigError, match="backbone has no layers named nope"):
        LearnedReward.start(encoder).adapt(Lora(rank=2, targets=("nope",)))


def test_lora_and_frozen_layers_together_are_refused(encoder):
    with pytest.raises(ConfigError, match="freeze_layers: LoRA freezes every layer already"):
        fit_reward(
            encoder, simulated_pairs(20, seed=1), recipe=plain(freeze_layers=1, lora=Lora(rank=2))
        )


def test_more_frozen_layers_than_there_are_is_refused(encoder):
    with pytest.raises(ConfigError, match="has 2 layers, got 3"):
        fit_reward(encoder, simulated_pairs(20, seed=1), recipe=plain(freeze_layers=3))
