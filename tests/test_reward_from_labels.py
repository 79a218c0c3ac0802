"""`humanalign reward data=FILE`: from a table of votes to a reward, in the words of the shell."""

import json
from pathlib import Path

import pytest
import tiny_models

from humanalign.cli import run
from humanalign.config import build
from humanalign.reward.sources import resolve
from humanalign.settings import AlignConfig
from humanalign.verbs.inputs import reward_runs


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> str:
    return tiny_models.save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three annotators a text; every other text is rude."""
    rows = ["tweet,h,o,n"]
    for number in range(30):
        rude = number % 2 == 0
        word, votes = ("rude", "1,2,0") if rude else ("good", "0,0,3")
        rows.append(f"w{number} {word} w{number // 2},{votes}")
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


VOTES = "votes={hate: h, offensive: o, neither: n}"


def test_votes_become_a_reward_that_is_named_by_its_label(encoder, table, tmp_path, capsys):
    place = tmp_path / "run"
    words = ["reward", f"model={encoder}", f"data={table}", "text=tweet", VOTES, "epochs=1"]
    words += ["merge={toxic: [hate, offensive]}", "lr=0.003", "--run", str(place)]
    assert run(words) == 0
    capsys.readouterr()
    summary = json.loads((place / "run.json").read_text())["summary"]
    assert summary["labels"] == ["neither", "toxic"]
    assert summary["texts"] == {"train": 24, "test": 6}
    assert len(resolve(f"run:{place}?label=toxic").score(["", ""], ["rude", "good"])) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of pairs=FILE"),
        (["pairs=p.jsonl", "data=d.csv"], "give one of pairs=FILE"),
        (["pairs=p.jsonl", "label=toxic"], "label: is for data=FILE"),
        (["data=DATA", "curve=[0.5]"], "curve: is for pairs=FILE"),
        (["data=DATA", "text=twet", VOTES], "did you mean 'tweet'?"),
        (["data=DATA", "text=tweet", VOTES, "margin=0.5"], "margin: is for pairs"),
        (["data=DATA", "text=tweet", "votes={a: tweet}"], "row 1: tweet: expected a number"),
        (["data=DATA", "text=tweet", "votes=[h, o]"], "votes: expected a mapping"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_run(encoder, table, tmp_path, words, said, capsys):
    place = tmp_path / "run"
    given = [word.replace("DATA", str(table)) for word in words]
    assert run(["reward", f"model={encoder}", *given, "--run", str(place)]) == 2
    assert said in capsys.readouterr().err
    assert not place.exists()


def test_settings_take_rewards_that_nest_and_lineage_finds_every_run():
    total = [{"reward": "run:b", "weight": 2}, {"reward": "rule:length"}]
    wary = {"ensemble": ["run:a?label=toxic", total], "how": "pessimistic"}
    spec = {"cached": wary, "file": "scores.jsonl"}
    config = build(AlignConfig, {"model": "tiny-instruct", "reward": spec})
    assert reward_runs(config.reward) == ["a", "b"]


@pytest.mark.parametrize("wrong", ["max_tokens=9999", "freeze_layers=99", "lora.targets=[nope]"])
def test_what_only_the_model_can_refuse_leaves_a_directory_for_the_correction(
    encoder, table, tmp_path, capsys, wrong
):
    place = tmp_path / "run"
    words = ["reward", f"model={encoder}", f"data={table}", "text=tweet", VOTES, "epochs=1"]
    rank = ["lora.rank=2"] if "lora" in wrong else []
    assert run([*words, wrong, *rank, "--run", str(place)]) == 2
    assert wrong.partition("=")[0] in capsys.readouterr().err
    assert run([*words, "--run", str(place)]) == 0


def test_a_run_on_labels_is_no_source_of_pairs(encoder, table, tmp_path, capsys):
    place = tmp_path / "run"
    words = ["reward", f"model={encoder}", f"data={table}", "text=tweet", VOTES, "epochs=1"]
    assert run([*words, "--run", str(place)]) == 0
    assert run(["reward", f"model={encoder}", f"pairs={place}", "--run", str(tmp_path / "r")]) == 2
    assert "keeps no pairs.train; it has: texts.test, texts.train" in capsys.readouterr().err
