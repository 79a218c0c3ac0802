"""The recipe: its limits, the rates it gives, and what each ingredient does to a fit."""

import math
from dataclasses import fields

import pytest
import torch
from torch import nn
from transformers import T5EncoderModel

from humanalign.errors import ConfigError
from humanalign.models import Lora
from humanalign.reward.fit import loss_of
from humanalign.reward.groups import Group, group_by_prompt, share_of
from humanalign.reward.kept import Kept
from humanalign.reward.learn import learn
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe, batch_of, rates
from humanalign.reward.trainable import block_names
from humanalign.run import Run
from humanalign.settings import RewardConfig
from humanalign.settings.labelled import LabelledData
from humanalign.train import Loss
from humanalign.types import PreferencePair
from humanalign.verbs.training import recipe_of

CLOSE = 1e-6
ROWS = [0.1 * i for i in range(12)]


def test_the_settings_of_the_command_have_the_recipes_names_and_defaults():
    config = RewardConfig(model="m", pairs="p")
    assert recipe_of(config) == Recipe()
    own = {
        "model",
        "pairs",
        "eval_pairs",
        "curve",
        "checkpoint",
        "seed",
        "log_with",
        *LabelledData.model_fields,
    }
    assert {f.name for f in fields(Recipe)} == set(RewardConfig.model_fields) - own


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lr": 0.0}, "lr: must be above 0, got 0.0"),
        ({"smoothing": 1.0}, r"smoothing: must be in \[0, 1\), got 1.0"),
        ({"layer_decay": 1.5}, "layer_decay: must be at most 1, got 1.5"),
        ({"warmup": -0.1}, r"warmup: must be a share in \[0, 1\], got -0.1"),
        ({"batch": 0}, "batch: must be above 0, got 0"),
        ({"patience": -1}, "patience: must be at least 0, got -1"),
        ({"validation": 0.0}, r"validation: must be a share in \(0, 1\), got 0.0"),
        ({"schedule": "linar"}, "schedule: .* got 'linar'; did you mean 'linear'"),
    ],
)
def test_a_value_out_of_range_is_one_sentence(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Recipe(**wrong)


class Tower(nn.Module):
    """Twelve blocks, so that block 1 and block 11 share the start of their names."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(2, 1)
        self.layer = nn.ModuleList(nn.Linear(1, 1) for _ in range(12))
        self.norm = nn.LayerNorm(1)
        self.head = nn.Linear(1, 1)


def test_rates_fall_with_depth_and_the_head_has_its_own():
    recipe = Recipe(lr=1.0, layer_decay=0.5, head_lr=3.0)
    found = rates(Tower(), recipe, {"head.weight", "head.bias"})
    assert found["layer.11.weight"] == found["norm.weight"] == 1.0
    assert found["layer.10.bias"] == 0.5
    assert found["layer.1.weight"] == 0.5**10
    assert found["embeddings.weight"] == 0.5**12
    assert found["head.weight"] == found["head.bias"] == 3.0


def test_an_encoder_decoders_blocks_are_counted_from_the_encoders_first(t5):
    reward = LearnedReward.start(t5, pooling="native", device="cpu")
    names = [name.removeprefix("backbone.model.transformer.") for name in block_names(reward)]
    assert names == [f"{half}.block.{i}" for half in ("encoder", "decoder") for i in (0, 1)]
    assert block_names(T5EncoderModel.from_pretrained(t5)) == ["encoder.block.0", "encoder.block.1"]


def score_loss(scores: list[float], recipe: Recipe) -> Loss:
    """One prompt: answer 0 beats 1 (weight 2, margin .5), answer 1 beats 2 (weight 1)."""
    group = Group("p", ("a", "b", "c"), (0, 1), (1, 2), (2.0, 1.0), (0.5, 0.0))
    return loss_of(torch.tensor(scores), [group], recipe)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_smoothing_takes_half_of_itself_from_the_target():
    found = score_loss([1.0, 0.3, -0.4], Recipe(smoothing=0.2))
    by_hand = sum(
        -w * (0.9 * math.log(sigmoid(gap)) + 0.1 * math.log(sigmoid(-gap)))
        for w, gap in [(2.0, 0.7), (1.0, 0.7)]
    )
    assert (found.total.item(), found.count) == (pytest.approx(by_hand, abs=CLOSE), 3.0)


def test_centring_adds_the_square_of_the_sum_of_a_pairs_scores():
    plain = score_loss([1.0, 0.3, -0.4], Recipe())
    centred = score_loss([1.0, 0.3, -0.4], Recipe(centring=0.1))
    # 2 (1 + .3)^2 + 1 (.3 - .4)^2 = 3.39, over the same count
    assert centred.total.item() - plain.total.item() == pytest.approx(0.339, abs=CLOSE)
    assert centred.count == plain.count


def test_the_margin_is_asked_for_before_a_pair_counts_as_learned():
    found = score_loss([1.0, 0.3, -0.4], Recipe(margin=2.0))
    # gap .7 less 2 x .5 for the first pair; the second has no consensus margin
    by_hand = -2 * math.log(sigmoid(-0.3)) - math.log(sigmoid(0.7))
    assert found.total.item() == pytest.approx(by_hand, abs=CLOSE)


def test_the_parts_put_aside_are_nested_and_share_no_prompt():
    pairs = [PreferencePair(f"p{i}", "a", "b") for i in range(40)]
    small, rest = share_of(pairs, 0.25)
    large, _ = share_of(pairs, 0.5)
    assert (len(small), len(rest), len(large)) == (10, 30, 20)
    assert {p.prompt for p in small} < {p.prompt for p in large}
    assert not {p.prompt for p in small} & {p.prompt for p in rest}
    shuffled = share_of(pairs[::-1], 0.25)[0]
    assert {p.prompt for p in shuffled} == {p.prompt for p in small}


@pytest.mark.parametrize(
    ("rows", "batch"), [(5, 1), (63, 1), (64, 2), (400, 12), (512, 16), (9000, 16)]
)
def test_a_batch_that_is_not_given_leaves_an_epoch_32_steps_where_it_can(rows, batch):
    assert batch_of(Recipe(), rows) == batch
    assert batch_of(Recipe(batch=7), rows) == 7


class Line(nn.Module):
    """y = w x + b after dropout, fitted to y = x^2."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.9)
        self.linear = nn.Linear(4, 1)
        nn.init.constant_(self.linear.weight, 0.1)

    def loss(self, rows: list[float]) -> Loss:
        x = torch.tensor(rows)
        y = self.linear(self.dropout(x[:, None].expand(-1, 4)))[:, 0]
        return Loss(((y - x**2) ** 2).sum(), float(len(rows)))


def fitted(recipe: Recipe, run: Run | None = None, *, die_after: int = 0, **options) -> Line:
    torch.manual_seed(1)
    line = Line()

    def progress(done: int, _: int) -> None:
        if done == die_after:
            raise EOFError

    learn(
        line,
        ROWS,
        line.loss,
        recipe=recipe,
        stage="toy",
        run=run,
        checkpoint_every=2,
        progress=progress,
        **options,
    )
    return line


EVERYTHING = Recipe(
    lr=0.1, epochs=20, batch=4, dropout=0.3, average=0.8, patience=3, head_lr=2.0, warmup=0.1
)
AIDE = {"validation": [0.15, 0.35], "heads": {"linear.bias"}}


def test_a_fit_says_how_many_steps_of_how_many_rows_it_took():
    torch.manual_seed(0)
    line = Line()
    rows = [0.01 * i for i in range(70)]  # 35 steps of 2
    assert learn(line, rows, line.loss, recipe=Recipe(), stage="toy") == {"steps": 70, "batch": 2}


@pytest.mark.parametrize("after", [1, 5, 20])
def test_a_fit_that_was_killed_ends_bit_for_bit_as_one_that_was_not(tmp_path, after):
    whole = Run.open(tmp_path / "whole", stage="toy", config={})
    wanted = fitted(EVERYTHING, whole, **AIDE)
    with pytest.raises(EOFError):
        fitted(
            EVERYTHING, Run.open(tmp_path / "r", stage="toy", config={}), die_after=after, **AIDE
        )
    torch.manual_seed(99)  # another process starts with other random numbers
    again = Run.open(tmp_path / "r", stage="toy", config={})
    found = fitted(EVERYTHING, again, **AIDE)
    assert torch.equal(found.linear.weight, wanted.linear.weight)
    assert torch.equal(found.linear.bias, wanted.linear.bias)
    assert again.metrics() == whole.metrics()


def test_a_fit_ends_after_so_many_epochs_without_a_lower_loss_at_its_best_one(tmp_path):
    run = Run.open(tmp_path / "r", stage="toy", config={})
    recipe = Recipe(lr=0.3, epochs=40, batch=4, patience=2, average=0.5)
    line = fitted(recipe, run, **AIDE)
    losses = [row["toy/validation_loss"] for row in run.metrics() if "toy/validation_loss" in row]
    assert len(losses) < 40
    assert losses.index(min(losses)) == len(losses) - 3
    with torch.no_grad():
        kept = line.loss(AIDE["validation"])
    assert float(kept.total) / kept.count == pytest.approx(min(losses), rel=1e-6)


def test_what_is_kept_is_the_average_while_learning_goes_on_from_the_weights():
    p = nn.Parameter(torch.zeros(1))
    kept = Kept({"p": p}, decay=0.5)
    for value in (1.0, 2.0):
        p.data.fill_(value)
        kept.after_step(0)
    # the first steps forget faster: d = 1/10, then 2/11
    average = (2 / 11) * (0.9 * 1.0) + (9 / 11) * 2.0
    with kept.in_place():
        assert p.item() == pytest.approx(average)
    assert p.item() == 2.0
    kept.settle()
    assert p.item() == pytest.approx(average)


def test_dropout_acts_while_learning_only_and_by_the_seed():
    with_dropout = Recipe(lr=0.1, epochs=2, batch=4, dropout=0.3)
    one, same = fitted(with_dropout), fitted(with_dropout)
    other, none = (
        fitted(with_dropout, seed=1),
        fitted(Recipe(lr=0.1, epochs=2, batch=4, dropout=0.0)),
    )
    assert torch.equal(one.linear.weight, same.linear.weight)
    assert len({line.linear.weight.sum().item() for line in (one, other, none)}) == 3
    assert not one.training
    # Without dropout all four weights see the same and stay the same.
    assert none.linear.weight.unique().numel() == 1
    assert one.linear.weight.unique().numel() == 4


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_an_adapter_keeps_its_own_dropout_beside_the_models(encoder, share):
    reward = LearnedReward.start(encoder, device="cpu")
    reward.adapt(Lora(rank=2, dropout=0.5))
    seen = set()

    def loss(rows: list[float]) -> Loss:
        for name, layer in reward.named_modules():
            if isinstance(layer, nn.Dropout):
                acts = layer.p if layer.training else 0.0
                seen.add(("adapter" if "lora" in name else "model", acts))
        return Loss(sum(p.sum() for p in reward.parameters()), float(len(rows)))

    learn(reward, ROWS, loss, recipe=Recipe(dropout=share, batch=12, epochs=1), stage="toy")
    assert seen == {("adapter", 0.5), ("model", share)}


def test_a_fit_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    line = Line()
    torch.manual_seed(5)
    learn(line, ROWS, line.loss, recipe=Recipe(dropout=0.5), stage="toy")
    assert torch.equal(torch.rand(1), wanted)


def test_ties_with_smoothing_still_draw_the_scores_together():
    tie = [PreferencePair("p", "a", "b", 0.5), PreferencePair("p", "b", "a", 0.5)]
    scores = torch.tensor([0.3, -0.1], requires_grad=True)
    loss = loss_of(scores, group_by_prompt(tie), Recipe(smoothing=0.1))
    loss.total.backward()
    assert scores.grad[0] > 0 > scores.grad[1]
    assert scores.grad.sum().item() == pytest.approx(0, abs=CLOSE)
