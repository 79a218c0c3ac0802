"""score and export: what another program reads is what the reward says."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from humanalign.cli import run
from humanalign.prefer.files.formats import write_pairs
from humanalign.reward.fit import fit_reward
from humanalign.reward.labels.fit import fit_classifier
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.reward.sources import resolve
from humanalign.rows import read_rows
from humanalign.types import LabelledText, PreferencePair

CLOSE = 1e-4


def pairs_of(numbers):
    return [
        PreferencePair(f"w{i} w{(3 * i) % 40}", f"good w{i}", f"bad rude w{i % 7}") for i in numbers
    ]


def fitted(folder, backbone, **options):
    fit_reward(
        backbone,
        pairs_of(range(12)),
        pairs_of(range(12, 18)),
        recipe=Recipe(epochs=1, lr=1e-3, max_tokens=24, **options),
        run=folder / "run",
    )
    return folder / "run"


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    return fitted(folder, tiny_models.save_encoder(folder / "backbone"))


@pytest.fixture(scope="module")
def causal_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("causal")
    return fitted(folder, tiny_models.save_causal(folder / "backbone"))


def said(capsys, *argv):
    assert run([str(word) for word in argv]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *argv):
    """The one sentence on stderr."""
    assert run([str(word) for word in argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def written(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ANSWERS = [{"prompt": "w1 w2", "completion": f"good w{i}", "id": i} for i in range(5)]


# -- score --pairs


def test_the_accuracy_on_pairs_is_the_share_that_a_hand_count_gives(tmp_path, capsys):
    """rule:length?target=3 wants three words: 1, 1, a tie and 0 of four pairs."""
    texts = [("a b c", "a"), ("a b c", "a b"), ("a b", "b a"), ("a", "a b c")]
    rows = [{"prompt": f"p{i}", "chosen": c, "rejected": r} for i, (c, r) in enumerate(texts)]
    file = written(tmp_path / "pairs.jsonl", rows)
    told = said(capsys, "score", "rule:length?target=3", "--pairs", file, "--json")
    assert told["accuracy"]["value"] == pytest.approx(2.5 / 4)
    assert told["accuracy"]["n"] == 4
    assert told["accuracy"]["ci_low"] < 2.5 / 4 < told["accuracy"]["ci_high"]


def test_pairs_are_told_apart_by_source_criterion_and_labeler(tmp_path, capsys):
    pairs = [
        PreferencePair(
            f"p{i}",
            *(("a b c", "a") if i % 2 else ("a", "a b c")),
            rater=("ann", "bo")[i % 2],
            criterion=("harmless", "helpful")[i % 2],
            source=("human", "ai")[i % 2],
        )
        for i in range(20)
    ]
    file = write_pairs(pairs, tmp_path / "pairs.jsonl")
    by = said(capsys, "score", "rule:length?target=3", "--pairs", file, "--json")["by"]
    assert {name: each["value"] for name, each in by["labeler"].items()} == {"ann": 0, "bo": 1}
    assert by["criterion"]["helpful"]["value"] == by["source"]["ai"]["value"] == 1


def test_pairs_that_a_run_was_fitted_on_are_found_as_leaks(encoder_run, tmp_path, capsys):
    file = write_pairs(pairs_of([0, 1, 20, 21]), tmp_path / "pairs.jsonl")
    told = said(capsys, "score", encoder_run, "--pairs", file, "--json")
    assert told["leaks"]["same_prompts"] == 2
    assert any("also trained on" in warning for warning in told["warnings"])
    counts = {"train": 12, "train_prompts": 12, "test": 4, "test_prompts": 4, "ties": 0}
    assert told["pairs"] == counts


def test_a_run_and_its_saved_model_score_the_same(encoder_run, tmp_path, capsys):
    file = write_pairs(pairs_of(range(12, 18)), tmp_path / "pairs.jsonl")
    first, second = (
        said(capsys, "score", place, "--pairs", file, "--json")
        for place in (encoder_run, encoder_run / "model")
    )
    assert first["accuracy"] == second["accuracy"]
    recorded = json.loads((encoder_run / "run.json").read_text())["summary"]["card"]
    assert first["calibration"]["temperature"] == recorded["calibration"]["temperature"]


# -- score --prompts


def scores_of(place, rows):
    reward = LearnedReward.load(place / "model")
    return reward.score([p for p, _ in rows], [c for _, c in rows])


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.csv", "rows.parquet"])
def test_answers_are_scored_from_every_kind_of_file(encoder_run, tmp_path, capsys, name):
    file = tmp_path / name
    text = "".join(json.dumps(row) + "\n" for row in ANSWERS)
    if name.endswith(".parquet"):
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(ANSWERS), file)
    elif name.endswith(".csv"):
        body = "\n".join(f"{row['prompt']},{row['completion']},{row['id']}" for row in ANSWERS)
        file.write_text(f"prompt,completion,id\n{body}\n")
    else:
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    told = said(capsys, "score", encoder_run, "--prompts", file, "--json")
    rows = read_rows(told["file"])
    assert Path(told["file"]).parent == tmp_path
    expected = scores_of(encoder_run, [(row["prompt"], row["completion"]) for row in ANSWERS])
    assert [row["score"] for row in rows] == pytest.approx(expected, abs=1e-5)
    assert [str(row["id"]) for row in rows] == ["0", "1", "2", "3", "4"]


def test_each_of_several_completions_gets_a_row(encoder_run, tmp_path, capsys):
    row = {"prompt": "w1", "completions": ["good", "bad rude"], "id": 7}
    file = written(tmp_path / "rows.jsonl", [row])
    rows = read_rows(said(capsys, "score", encoder_run, "--prompts", file, "--json")["file"])
    assert [(each["completion"], each["id"]) for each in rows] == [("good", 7), ("bad rude", 7)]
    expected = scores_of(encoder_run, [("w1", "good"), ("w1", "bad rude")])
    assert [each["score"] for each in rows] == pytest.approx(expected, abs=1e-5)


def test_a_conversation_is_scored_as_the_same_conversation_in_pairs_is(tmp_path, capsys):
    """The transcript of pairs.pair_of_messages, written out by hand."""
    function = tmp_path / "mine.py"
    function.write_text(
        "SEEN = []\ndef score(prompts, completions):\n"
        "    open('seen.txt', 'w').write(prompts[0] + '|' + completions[0])\n"
        "    return [0.0 for _ in prompts]\n"
    )
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "Help"), ("assistant", "Sure")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    file = written(tmp_path / "rows.jsonl", [row])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        said(capsys, "score", f"python:{function}:score", "--prompts", file, "--json")
    seen = (tmp_path / "seen.txt").read_text()
    assert seen == "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Help\n\nAssistant:| Sure"


def test_answers_unlike_the_training_data_are_marked_and_told_of(
    tmp_path, encoder_run, capsys, caplog
):
    """The range of training scores is a part of what is familiar: beyond it all is strange."""
    reward = LearnedReward.load(encoder_run / "model")
    assert reward.familiar is not None
    texts = [("w1 w2", f"good w{i}") for i in range(40)] + [("rude", "rude " * 12)]
    rows = [{"prompt": p, "completion": c} for p, c in texts]
    features = reward.features([p for p, _ in texts], [c for _, c in texts]).numpy()
    strange = reward.familiar.unfamiliar(features, scores_of(encoder_run, texts))
    assert 0 < strange.sum() < len(texts)
    file = written(tmp_path / "rows.jsonl", rows)
    kept = read_rows(said(capsys, "score", encoder_run, "--prompts", file, "--json")["file"])
    assert [row.get("unfamiliar", False) for row in kept] == strange.tolist()
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert f"{strange.sum()} of {len(texts)} answers" in warned[0]


def test_the_spec_of_a_reward_is_taken_as_it_is_written(tmp_path, capsys):
    """No file's path: two slashes in a pattern stay two."""
    rows = [{"prompt": "p", "completion": f"see {url}"} for url in ("https:/x", "https://x")]
    file = written(tmp_path / "rows.jsonl", rows)
    told = said(capsys, "score", "rule:matches?pattern=https://x", "--prompts", file, "--json")
    assert [row["score"] for row in read_rows(told["file"])] == [0.0, 1.0]


def test_what_an_earlier_reward_found_unfamiliar_is_not_said_again(tmp_path, capsys, caplog):
    old = [row | {"score": 9.0, "unfamiliar": True} for row in ANSWERS]
    file = written(tmp_path / "rows.jsonl", old)
    told = said(capsys, "score", "rule:length", "--prompts", file, "--json")
    assert told["unfamiliar"] == 0
    assert [set(row) for row in read_rows(told["file"])] == [{*ANSWERS[0], "score"}] * 5
    assert not caplog.records


def test_a_file_that_holds_no_scores_is_never_written_over(tmp_path, capsys):
    file = written(tmp_path / "rows.jsonl", ANSWERS)
    pairs = write_pairs(pairs_of(range(3)), tmp_path / "pairs.jsonl")
    before = pairs.read_bytes()
    words = ("score", "rule:length", "--prompts", file, "--out")
    assert "is there already and holds no scores" in refused(capsys, *words, pairs)
    assert pairs.read_bytes() == before
    for _ in range(2):  # its own scores may be written again
        said(capsys, *words, tmp_path / "scores.jsonl", "--json")


def test_files_of_one_name_and_other_endings_have_scores_of_their_own(tmp_path, capsys):
    first = written(tmp_path / "rows.jsonl", ANSWERS)
    second = tmp_path / "rows.csv"
    second.write_text("prompt,completion\na,b\n")
    names = {
        said(capsys, "score", "rule:length", "--prompts", file, "--json")["file"]
        for file in (first, second)
    }
    assert len(names) == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    file = written(tmp_path / "rows.jsonl", ANSWERS)
    out = file / "inside" / "scores.jsonl"
    words = ("score", "rule:length", "--prompts", file, "--out", out)
    assert "cannot be written" in refused(capsys, *words)


def test_the_file_of_scores_can_be_named(tmp_path, capsys):
    file = written(tmp_path / "rows.jsonl", ANSWERS)
    out = tmp_path / "elsewhere" / "scores.jsonl.gz"
    said(capsys, "score", "rule:length", "--prompts", file, "--out", out, "--json")
    assert len(read_rows(out)) == 5


def test_the_answers_themselves_are_never_written_over(tmp_path, capsys):
    file = written(tmp_path / "rows.jsonl", ANSWERS)
    before = file.read_bytes()
    beside = f"{tmp_path}/x/../rows.jsonl"
    (tmp_path / "x").mkdir()
    assert "holds the answers themselves" in refused(
        capsys, "score", "rule:length", "--prompts", file, "--out", beside
    )
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"prompt": "a", "answer": "b"}, "row 2: expected prompt and completion"),
        ({"prompt": "a", "completions": "b"}, "row 2: completions: expected a list"),
        ({"completion": "b"}, "row 2: has no 'prompt'"),
        ({"prompt": "a", "completion": 3}, "row 2: completion: expected text"),
        ({"messages": [{"role": "user", "content": "a"}]}, "row 2: messages: expected a question"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
            "an answer must be the assistant's",
        ),
    ],
)
def test_a_row_that_is_no_answer_is_named(tmp_path, capsys, row, sentence):
    file = written(tmp_path / "rows.jsonl", [ANSWERS[0], row])
    assert sentence in refused(capsys, "score", "rule:length", "--prompts", file)
    assert not (tmp_path / "rows.scored.jsonl").exists()


def test_what_score_cannot_do_is_said_in_one_sentence(tmp_path, capsys):
    file = written(tmp_path / "rows.jsonl", ANSWERS)
    one = write_pairs([PreferencePair("p", "a", "b")] * 2, tmp_path / "one.jsonl")
    faults = {
        "give one of --pairs FILE": ["rule:length"],
        "only --prompts writes a file": ["rule:length", "--pairs", one, "--out", "x.jsonl"],
        "an interval needs 2 prompts": ["rule:length", "--pairs", one],
        "name a .jsonl file": ["rule:length", "--prompts", file, "--out", "x.csv"],
        "unknown rule": ["rule:lenght", "--prompts", file],
        "no such file": ["rule:length", "--prompts", tmp_path / "none.jsonl"],
    }
    for sentence, words in faults.items():
        assert sentence in refused(capsys, "score", *words)


# -- export

PROMPTS = [("w1 w2 w3", "good w4"), ("w5", "bad rude w6 w7 w8"), ("w9 " * 30, "fine w2")]


def exported(capsys, place, out):
    return Path(said(capsys, "export", place, "--out", out, "--json")["model"])


def logits_of(folder, texts):
    """As a user of transformers would: one text at a time, then all in one padded batch."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    options = {"truncation": "only_first", "return_tensors": "pt"}
    with torch.no_grad():
        single = [model(**tokenizer(p, c, **options)).logits[0, 0].item() for p, c in texts]
        asked, answered = zip(*texts, strict=True)
        batch = tokenizer(list(asked), list(answered), padding=True, **options)
        together = model(**batch).logits[:, 0].tolist()
    assert together == pytest.approx(single, abs=CLOSE)
    return single


def test_an_exported_encoder_gives_the_standardised_scores(encoder_run, tmp_path, capsys):
    out = exported(capsys, encoder_run, tmp_path / "out")
    expected = scores_of(encoder_run, PROMPTS)
    assert logits_of(out, PROMPTS) == pytest.approx(expected, abs=CLOSE)


def test_an_exported_causal_model_gives_the_raw_scores(causal_run, tmp_path, capsys):
    out = exported(capsys, causal_run, tmp_path / "out")
    reward = LearnedReward.load(causal_run / "model")
    expected = reward.raw_scores([p for p, _ in PROMPTS], [c for _, c in PROMPTS])
    assert logits_of(out, PROMPTS) == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("made", ["encoder_run", "causal_run"])
def test_the_code_in_the_model_card_runs_and_gives_the_score(made, request, tmp_path, capsys):
    place = request.getfixturevalue(made)
    out = exported(capsys, place, tmp_path / "out")
    code = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)[0]
    reward = LearnedReward.load(place / "model")
    score = reward.score if made == "encoder_run" else reward.raw_scores
    numbered = " ".join(f"w{i}" for i in range(40))  # more than the 24 tokens that it reads
    texts = [("w1 w2 w3", "good w4"), (numbered, "good w4"), ("w1 w2 w3", numbered)]
    found = []
    for prompt, answer in texts:
        names = {"folder": str(out), "prompt": prompt, "answer": answer}
        exec(code, names)
        found.append(names["score"])
    assert found == pytest.approx(score(*map(list, zip(*texts, strict=True))), abs=CLOSE)


TEMPLATE = (
    "{% for m in messages %}{{ 'is the ' if m.role == 'assistant' else 'you are ' }}"
    "{{ m.content }} ! {% endfor %}{% if add_generation_prompt %}is the {% endif %}"
)


def test_the_code_of_a_model_that_reads_chats_gives_the_score(tmp_path, capsys):
    backbone = tiny_models.save_causal(tmp_path / "backbone")
    words = AutoTokenizer.from_pretrained(backbone)
    words.chat_template = TEMPLATE
    words.save_pretrained(backbone)
    place = fitted(tmp_path, backbone)
    out = exported(capsys, place, tmp_path / "out")
    code = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)[0]
    names = {"folder": str(out), "prompt": "w1 w2 w3", "answer": " good w4"}
    exec(code, names)
    expected = LearnedReward.load(place / "model").raw_scores(["w1 w2 w3"], [" good w4"])
    assert names["score"] == pytest.approx(expected[0], abs=CLOSE)


def test_a_classifier_of_texts_keeps_its_labels_and_its_code_names_one(tmp_path, capsys):
    rows = [
        LabelledText(f"{'good fine' if i % 2 else 'bad rude'} w{i}", {"ok": i % 2, "no": 1 - i % 2})
        for i in range(24)
    ]
    fit_classifier(
        tiny_models.save_encoder(tmp_path / "backbone"),
        rows[:16],
        rows[16:],
        recipe=Recipe(epochs=2, lr=1e-3),
        run=tmp_path / "run",
    )
    out = exported(capsys, tmp_path / "run", tmp_path / "out")
    text = (out / "README.md").read_text()
    assert "names the label that most votes went to" in text
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    names = {"folder": str(out), "text": "bad rude w3"}
    exec(code, names)
    logits = [
        resolve(f"run:{tmp_path / 'run'}?label={label}").score([""], ["bad rude w3"])[0]
        for label in ("ok", "no")
    ]
    assert names["label"] == ("ok" if logits[0] > logits[1] else "no")


def test_the_model_card_has_the_numbers_and_warnings_of_the_reward_card(
    encoder_run, tmp_path, capsys
):
    text = (exported(capsys, encoder_run, tmp_path / "out") / "README.md").read_text()
    card = json.loads((encoder_run / "run.json").read_text())["summary"]["card"]
    accuracy = card["accuracy"]
    assert f"{100 * accuracy['value']:.1f}\u00a0% of the time" in text
    assert text.count("\n- ") >= len(card["warnings"]) > 0
    assert str(encoder_run) not in text


def test_nothing_of_ours_is_left_in_the_directory(encoder_run, tmp_path, capsys):
    out = exported(capsys, encoder_run, tmp_path / "out")
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert {"reward.json", "head.safetensors", "familiar.safetensors"} & names == set()


def test_a_pooled_reward_is_refused_with_what_to_do(tmp_path, capsys):
    place = fitted(tmp_path, tiny_models.save_encoder(tmp_path / "backbone"), pooling="mean")
    sentence = refused(capsys, "export", place, "--out", tmp_path / "out")
    assert "pooling=mean" in sentence
    assert "fit it again with pooling=native" in sentence
    assert not (tmp_path / "out").exists()
