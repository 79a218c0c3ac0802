"""Fitting to labels: known shares come back, nothing leaks, and what is saved is a classifier."""

import json
import math
import random
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from humanalign.errors import ConfigError, DataError
from humanalign.models import Lora
from humanalign.reward.classifier import ClassifierReward
from humanalign.reward.labels.fit import fit_classifier
from humanalign.reward.labels.loss import Lesson, label_loss, label_weights, lessons_of, pieces
from humanalign.reward.labels.model import Classifier, start_classifier
from humanalign.reward.labels.rows import labels_of, part_of, split_texts
from humanalign.reward.reading import Encoded
from humanalign.reward.recipe import Recipe
from humanalign.reward.sources import resolve
from humanalign.run import Run
from humanalign.types import LabelledText

CLOSE = 1e-5
QUICK = Recipe(lr=1e-2, epochs=3, batch=16, max_tokens=10)
ONCE = replace(QUICK, epochs=1)


def texts(count: int, *, seed: int = 0, prompts: bool = False) -> list[LabelledText]:
    """Toxic where it says "rude" or "bad"; three annotators, of whom the third errs at times."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        words = rng.choices([f"w{i}" for i in range(20)], k=5)
        toxic = number % 3 == 0
        words[rng.randrange(5)] = rng.choice(["rude", "bad"] if toxic else ["good", "fine"])
        share = 1.0 if rng.random() < 0.7 else 2 / 3
        target = {"toxic": share if toxic else 1 - share, "fine": 1 - share if toxic else share}
        prompt = f"is w{number}" if prompts else ""
        found.append(LabelledText(" ".join(words), target, prompt=prompt))
    return found


@pytest.fixture(scope="module")
def run(calm_encoder, tmp_path_factory) -> Run:
    """A finished fit; one of the texts held out has the wrong label."""
    wrong = LabelledText("w1 rude w2", {"fine": 1.0})
    rows, held_out = texts(160), [*texts(60, seed=1), wrong]
    run = Run.open(tmp_path_factory.mktemp("labels") / "run", stage="reward", config={})
    fit_classifier(calm_encoder, rows, held_out, recipe=QUICK, run=run, device="cpu")
    return run


def test_what_makes_a_text_toxic_is_learned(run):
    assert run.summary["labels"] == ["fine", "toxic"]
    assert run.summary["auroc"]["toxic"]["ci_low"] > 0.9
    assert run.summary["accuracy"]["ci_low"] > 0.8
    assert run.summary["texts"] == {"train": 160, "test": 61}
    # a third of the texts lean to it, a ninth of their votes do not, and the other way round
    assert run.summary["balance"]["train"]["toxic"] == pytest.approx(0.37, abs=0.03)
    assert set(run.summary["calibration"]["toxic"]) >= {"temperature", "ece", "bins"}
    json.dumps(run.summary, allow_nan=False)


def test_the_most_wrong_texts_are_kept_to_be_read(run):
    first = json.loads((run.path / "samples.jsonl").read_text().splitlines()[0])
    assert (first["text"], first["label"], first["said"]) == ("w1 rude w2", "fine", "toxic")
    assert first["probability"] < 0.5


def test_a_finished_run_is_a_reward_by_the_name_of_a_label(run):
    said = ["you are rude", "w1 w2 good"]
    fitted = Classifier.load(run.path / "model")
    expected = fitted.reward("toxic", use="prob").score(["", ""], said)
    assert expected[0] > 0.5 > expected[1]
    options = "?label=toxic&use=prob"
    for spec in (f"run:{run.path}{options}", f"hf:{run.path}/model{options}"):
        assert resolve(spec).score(["", ""], said) == pytest.approx(expected, abs=CLOSE)
    bare = resolve(str(run.path), label="toxic", use="prob")
    assert bare.score(["", ""], said) == pytest.approx(expected, abs=CLOSE)


def test_a_label_that_the_run_does_not_have_is_refused_with_those_it_has(run):
    with pytest.raises(ConfigError, match="no label 'toxi'; its labels: fine, toxic; did you mean"):
        resolve(f"run:{run.path}?label=toxi")
    with pytest.raises(ConfigError, match="choose one of: fine, toxic"):
        resolve(f"run:{run.path}")


def test_what_is_saved_is_an_ordinary_classifier_that_keeps_the_end(run):
    model = AutoModelForSequenceClassification.from_pretrained(run.path / "model").eval()
    words = AutoTokenizer.from_pretrained(run.path / "model")
    assert model.config.label2id == {"fine": 0, "toxic": 1}
    inputs = words("w1 " * 30 + "you are rude", return_tensors="pt", truncation=True)
    assert inputs["input_ids"].shape == (1, 10)
    with torch.no_grad():
        expected = model(**inputs).logits[0, 1].item()
    reward = resolve(f"run:{run.path}?label=toxic")
    scores = reward.score([""], ["w1 " * 30 + "you are rude"])
    assert scores == pytest.approx([expected], abs=CLOSE)


@pytest.mark.parametrize("family", ["causal", "t5"])
def test_other_families_learn_labels_and_load_again(family, request, tmp_path):
    path = request.getfixturevalue(family)
    fitted = fit_classifier(path, texts(24), recipe=ONCE, run=tmp_path / "r")
    said = ["rude", "w1 w2 w3 good fine", ""]
    expected = fitted.reward("toxic").score([""] * 3, said)
    again = resolve(f"run:{tmp_path}/r?label=toxic&batch_size=1")
    assert again.score([""] * 3, said) == pytest.approx(expected, abs=CLOSE)


def test_prompts_are_read_where_the_rows_have_them(encoder, tmp_path):
    rows = texts(60, prompts=True)
    fit_classifier(encoder, rows, recipe=ONCE, run=tmp_path / "r")
    reward = resolve(f"run:{tmp_path}/r?label=toxic")
    assert isinstance(reward, ClassifierReward)
    assert reward.text == "both"
    assert reward.score(["w1", "w9 rude"], ["w2", "w2"])[0] != reward.score(["w9 rude"], ["w2"])[0]


def test_the_loss_is_the_cross_entropy_of_the_votes():
    logits = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 0.0]])
    lessons = [
        Lesson(Encoded([1], 0, two=False), (2 / 3, 1 / 3, 0.0), 3.0),
        Lesson(Encoded([1], 0, two=False), (0.0, 1.0, 0.0), 1.0),
    ]
    loss = label_loss(logits, lessons, smoothing=0.3)
    expected = 0.0
    for row, lesson in zip(logits.tolist(), lessons, strict=True):
        total = math.log(sum(math.exp(x) for x in row))
        shares = [0.7 * share + 0.1 for share in lesson.shares]
        expected -= lesson.weight * sum(s * (x - total) for s, x in zip(shares, row, strict=True))
    assert loss.total.item() == pytest.approx(expected, abs=CLOSE)
    assert (loss.count, loss.rows) == (4.0, 2)
    # the first text's likeliest label has two votes of three, the second's all
    assert loss.metrics["agreement"] == pytest.approx(2 / 3 + 1, abs=CLOSE)


def test_a_label_that_is_only_put_aside_for_stopping_is_balanced_too(calm_encoder):
    """The validation part holds every text of the rare label."""
    rows = texts(20)
    aside = part_of(rows, 0.2, salt="validation")[0]
    rows = [replace(r, target={"rare": 1.0} if r in aside else r.target) for r in rows]
    recipe = replace(ONCE, patience=1, validation=0.2)
    found = fit_classifier(calm_encoder, rows, texts(9, seed=1), recipe=recipe, balance=True)
    assert found.labels == ["fine", "rare", "toxic"]


def test_texts_of_one_prompt_cannot_be_split_and_are_told_so():
    rows = [LabelledText(f"w{i}", {"ab"[i % 2]: 1.0}, prompt="same") for i in range(10)]
    with pytest.raises(DataError, match="all 10 have the same prompt"):
        split_texts(rows)


def test_balanced_labels_have_the_same_weight_in_all():
    rows = [LabelledText("a", {"x": 1.0})] * 3 + [LabelledText("b", {"y": 1.0})]
    assert label_weights(rows, ["x", "y"]) == pytest.approx([1 / (2 * 0.75), 1 / (2 * 0.25)])


def test_how_a_batch_is_cut_does_not_change_the_gradient(encoder):
    fitted = start_classifier(encoder, ["fine", "toxic"], device="cpu")
    lessons = lessons_of(texts(9), fitted.labels, fitted.reader, with_prompts=False)

    def gradient(most: int) -> torch.Tensor:
        fitted.model.zero_grad()
        for part in pieces(lessons, most):
            tokens = fitted.reader.pad([lesson.row for lesson in part])
            label_loss(
                fitted.model(**tokens.inputs(fitted.model.device)).logits, part
            ).total.backward()
        return fitted.model.bert.encoder.layer[0].output.dense.weight.grad.clone()

    assert len(list(pieces(lessons, 14))) > 3
    torch.testing.assert_close(gradient(14), gradient(10_000), atol=CLOSE, rtol=1e-4)


def test_the_order_of_the_rows_changes_nothing(encoder):
    rows = texts(40)
    first = fit_classifier(encoder, rows, recipe=ONCE)
    random.Random(1).shuffle(rows)
    again = fit_classifier(encoder, rows, recipe=ONCE)
    said = [row.text for row in rows]
    assert again.reward("toxic").score(said, said) == first.reward("toxic").score(said, said)


def test_repeats_of_a_text_are_all_on_one_side():
    rows = [
        replace(row, text=text) for row in texts(50) for text in (row.text, f" {row.text.upper()}")
    ]
    train, test = split_texts(rows)
    assert not {r.text.split()[0].lower() + r.text.lower().strip() for r in train} & {
        r.text.split()[0].lower() + r.text.lower().strip() for r in test
    }
    assert len(train) + len(test) == 100
    assert len(test) == 20


def test_answers_to_one_prompt_are_all_on_one_side():
    rows = [replace(row, prompt=f"p{i // 3}") for i, row in enumerate(texts(60))]
    train, test = split_texts(rows)
    assert not {row.prompt for row in train} & {row.prompt for row in test}


def test_a_smaller_part_does_not_depend_on_the_order():
    rows = texts(30)
    assert part_of(rows, 0.2, salt="x")[0] == [
        row for row in rows if row in part_of(rows[::-1], 0.2, salt="x")[0]
    ]


@pytest.mark.parametrize(
    ("rows", "held_out", "said"),
    [
        (texts(9), [LabelledText(texts(9)[0].text.upper(), {"fine": 1.0})], "1 are in both"),
        ([LabelledText("a", {"x": 1.0})], texts(9), "x; a classifier needs two or more"),
        (
            texts(9),
            [LabelledText("q", {"new": 1.0}), LabelledText("r", {"fine": 1.0})],
            "label 'new' is in no",
        ),
        ([LabelledText("a", {"x": 0.5})], None, "must add up to 1"),
        ([LabelledText("\ud800", {"x": 1.0}, id="row-1")], None, "row-1: .* is half a character"),
        ([LabelledText("a", {"x": 1.0}, weight=0.0)], None, "weight of a text must be above 0"),
    ],
)
def test_texts_that_cannot_be_learned_from_are_refused(encoder, rows, held_out, said):
    with pytest.raises(DataError, match=said):
        fit_classifier(encoder, rows, held_out)


@pytest.mark.parametrize(("key", "value"), [("margin", 0.5), ("pooling", "mean"), ("chat", True)])
def test_a_key_that_only_pairs_know_is_refused(encoder, key, value):
    with pytest.raises(ConfigError, match=f"{key}: is for pairs, got {value!r}"):
        fit_classifier(encoder, texts(9), recipe=Recipe(**{key: value}))


def test_labels_are_in_alphabetical_order_whatever_comes_first():
    rows = [LabelledText("a", {"z": 1.0, "never": 0.0}), LabelledText("b", {"a": 0.5, "z": 0.5})]
    assert labels_of(rows) == ["a", "z"]


class Killed(Exception):
    pass


def test_a_killed_fit_ends_as_if_it_had_not_been(encoder, tmp_path):
    recipe = Recipe(lr=1e-3, epochs=3, batch=8, average=0.9, patience=2, dropout=0.1)

    def fit(name: str, progress=None) -> Classifier:
        run = Run.open(tmp_path / name, stage="reward", config={})
        return fit_classifier(
            encoder, texts(32), recipe=recipe, run=run, checkpoint_every=3, progress=progress
        )

    def kill(step: int, total: int) -> None:
        del total
        if step == 5:
            raise Killed

    whole = fit("whole")
    with pytest.raises(Killed):
        fit("killed", kill)
    resumed = fit("killed")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_adapters_leave_the_backbone_and_are_merged(encoder, tmp_path):
    recipe = replace(QUICK, lora=Lora(4), head_lr=2.0)
    fitted = fit_classifier(encoder, texts(40), recipe=recipe, run=tmp_path / "r")
    names = set(fitted.model.state_dict())
    assert not [name for name in names if "lora" in name]
    again = Classifier.load(tmp_path / "r" / "model")
    assert again.reward("toxic").score(["", ""], ["rude", "w1"]) == pytest.approx(
        fitted.reward("toxic").score(["", ""], ["rude", "w1"]), abs=CLOSE
    )
