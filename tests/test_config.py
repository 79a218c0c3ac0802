"""Settings: a YAML file, overrides, and one sentence for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from humanalign.config import build, keys, load, parse_value
from humanalign.errors import ConfigError
from humanalign.settings import AlignConfig, EvaluateConfig, RewardConfig
from humanalign.verbs.table import VERBS, settings_of


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(kind, *overrides: str, file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(kind, file, list(overrides))
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_an_override_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = write(tmp_path, "model: a\nsteps: 7\nbatch: 32\n")
    config = load(AlignConfig, file, ["batch=16"])
    assert (config.model, config.steps, config.batch, config.seed) == ("a", 7, 16, 0)


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "1.0e-5", "0.00001", ".00001", "+1e-5"])
def test_every_spelling_of_a_small_number_is_a_number(text, tmp_path):
    assert load(AlignConfig, None, ["model=a", f"lr={text}"]).lr == 0.00001
    assert load(AlignConfig, write(tmp_path, f"model: a\nlr: {text}\n"), []).lr == 0.00001


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("-4", -4), ("true", True), ("null", None), ("[a, b]", ["a", "b"]), ("v1", "v1")],
)
def test_an_override_is_read_as_yaml(text, value):
    assert parse_value("key", text) == value
    assert type(parse_value("key", text)) is type(value)


def test_words_are_taken_as_they_stand_where_only_text_fits():
    words = ["model=1", "label=no", "template=Summarize:\\n\\n{dialogue}\\n\\nSummary:"]
    config = load(AlignConfig, None, words)
    assert (config.model, config.label) == ("1", "no")
    assert config.template == "Summarize:\n\n{dialogue}\n\nSummary:"


def test_lists_and_mappings_of_text_are_still_read_as_yaml():
    config = load(EvaluateConfig, None, ["model=a", "scorers={toxicity: 'hf:x?label=hate'}"])
    assert config.scorers == {"toxicity": "hf:x?label=hate"}
    lora = load(AlignConfig, None, ["model=a", "lora.targets=[q, v]"]).lora
    assert lora.targets == ["q", "v"]
    weighted = load(AlignConfig, None, ["model=a", "reward=[{reward: a, weight: 2}]"]).reward
    assert weighted == [{"reward": "a", "weight": 2.0}]


def test_null_and_quotes_keep_their_meaning_in_text():
    config = load(AlignConfig, None, ["model='a b'", "template=null", 'label="x\\ty"'])
    assert (config.model, config.template, config.label) == ("a b", None, "x\ty")


def test_nested_keys_are_merged_not_replaced(tmp_path):
    file = write(tmp_path, "model: a\nkl: {coef: 0.2, target: 6}\nkl.horizon: 50\n")
    config = load(AlignConfig, file, ["kl.coef=0.3", "kl={estimator: k3}"])
    kl = config.kl
    assert (kl.coef, kl.target, kl.horizon, kl.estimator) == (0.3, 6.0, 50, "k3")


def test_a_misspelt_nested_key_is_named_with_its_neighbour():
    assert refused(AlignConfig, "model=a", "kl.cof=1") == (
        "unknown key 'kl.cof'; did you mean 'kl.coef'?"
    )


def test_a_key_of_another_planet_has_no_neighbour():
    assert refused(AlignConfig, "model=a", "qqqq=1").startswith("unknown key 'qqqq'; --help")


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("lr=fast", "lr: expected a number, got 'fast'"),
        ("steps=1.5", "steps: expected a whole number, got 1.5"),
        ("steps=true", "steps: expected a whole number, got True"),
        ("whiten=1", "whiten: expected true or false, got 1"),
        ("kl=3", "kl: expected a mapping {key: value}, got 3"),
        ("kl.estimator=k9", "kl.estimator: expected k1, k2, k3 or full, got 'k9'"),
        ("batch=0", "batch: expected greater than 0, got 0"),
        ("kl.target=-1", "kl.target: expected greater than 0, got -1"),
        ("lora.targets=q", "lora.targets: expected a list [a, b], got 'q'"),
    ],
)
def test_a_wrong_value_is_one_sentence_with_key_and_value(word, sentence):
    assert refused(AlignConfig, "model=a", word) == sentence


def test_a_missing_key_says_how_to_give_it():
    assert refused(RewardConfig, "pairs=a") == "model is required; give model=..."


def test_a_word_without_an_equals_sign_is_shown():
    assert "'lr'" in refused(AlignConfig, "lr")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- a\n- b\n", "holds list"),
        ("a: [1\n", "is not YAML"),
        ("kl: 3\nkl.coef: 1\n", "'kl' is already set to 3"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(text, part, tmp_path):
    assert part in refused(AlignConfig, file=write(tmp_path, text))


def test_a_missing_or_unreadable_config_file_is_named(tmp_path):
    assert "nowhere.yaml" in refused(AlignConfig, file=tmp_path / "nowhere.yaml")
    assert str(tmp_path) in refused(AlignConfig, file=tmp_path)


def test_what_a_run_writes_down_reads_back_as_the_same_settings(tmp_path):
    config = load(AlignConfig, None, ["model=a", "lr=3e-7", "kl.target=6", "reward=rule:length"])
    again = load(AlignConfig, write(tmp_path, yaml.safe_dump(config.model_dump())), [])
    assert again == config


def test_settings_cannot_be_changed_afterwards():
    config = build(EvaluateConfig, {"model": "a"})
    with pytest.raises(ValueError, match="frozen"):
        config.model = "b"


@pytest.mark.parametrize("verb", VERBS)
def test_every_key_of_every_verb_has_a_default_that_its_own_settings_accept(verb):
    kind = settings_of(VERBS[verb])
    tree = {name: default for name, default, _ in keys(kind)}
    needed = {name: "x" for name, default in tree.items() if default == "required"}
    overrides = [f"{name}={value}" for name, value in needed.items()]
    dumped = load(kind, None, overrides).model_dump()
    assert {name.split(".")[0] for name in tree} == set(dumped)
