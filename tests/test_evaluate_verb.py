"""`humanalign evaluate` as a user types it: one run of everything, the trend, and mistakes."""

from __future__ import annotations

import json

import pytest
from tiny_models import save_classifier

from humanalign.cli import run
from humanalign.errors import DataError
from humanalign.prefer.store import FeedbackStore
from humanalign.reward.sources import resolve
from humanalign.rows import read_rows, write_rows
from humanalign.settings import EvaluateConfig
from humanalign.tiny.world import prompts
from humanalign.types import Comparison, Completion, Prompt, Ranking, Rater, Sampler
from humanalign.verbs import evaluating

TOXICITY = "python:humanalign.tiny.gold:toxicity_scores"
BLEND = f"[{{reward: 'rule:length?target=9'}}, {{reward: '{TOXICITY}', weight: -1}}]"
SCORERS = f"{{toxicity: '{TOXICITY}', blend: {BLEND}}}"
SHORT = ["max_new_tokens=12", "limit=6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, llama):
    """Two evaluations of the bundled model: beside a random one with a judge and people; alone."""
    out = tmp_path_factory.mktemp("evaluate")
    rows = [{"prompt": p.text, "reference": p.reference} for p in prompts("test", 6)]
    write_rows(out / "p.jsonl", rows)
    write_rows(
        out / "words.jsonl", [{"prompt": f"w{i} w{i + 1}", "reference": "w1"} for i in range(6)]
    )
    store = FeedbackStore(out / "f.db")
    store.add_rater(Rater("ann"))
    for i in range(4):
        prompt = Prompt(f"w{i} w{i + 1}")
        ours, theirs = (
            Completion(prompt.id, name, Sampler(name)) for name in ("tiny-instruct", str(llama))
        )
        store.add([prompt], [ours, theirs])
        store.ask([Comparison(prompt.id, (ours.id, theirs.id))])
    for i, asked in enumerate(store.comparisons()):
        names = {store.completion(each).text: each for each in asked.completion_ids}
        tiers = (names["tiny-instruct"],), (names[str(llama)],)
        store.rank(Ranking(asked.id, "ann", tiers if i else tiers[::-1]), key=str(i))
    beside = [f"against={llama}", f"prompts={out / 'words.jsonl'}", f"judge={llama}"]
    beside += [f"store={out / 'f.db'}", "support=true", "lower=[other]", "samples=2"]
    scorers = SCORERS.replace("blend", f"other: '{TOXICITY}', blend")
    words = ["model=tiny-instruct", *beside, *SHORT, f"scorers={scorers}"]
    assert run(["evaluate", *words, "--run", str(out / "runs/beside")]) == 0
    alone = ["model=tiny-instruct", f"prompts={out / 'p.jsonl'}", f"scorers={SCORERS}", *SHORT]
    assert run(["evaluate", *alone, "--run", str(out / "runs/alone")]) == 0
    assert run(["evaluate", *alone, "seed=1", "--run", str(out / "runs/again")]) == 0
    return out


def summary(folder, name):
    return json.loads((folder / "runs" / name / "run.json").read_text())["summary"]


def test_scorers_of_any_kind_are_read(folder):
    told = summary(folder, "alone")
    rows = read_rows(folder / "runs/alone/samples.jsonl")
    for row in rows:
        words = len(row["after"].split())
        length = row["blend_after"] + row["toxicity_after"]
        assert length == pytest.approx(length_rule(words), abs=1e-6)
    assert told["scorers"]["blend"]["better"] == "higher"
    assert told["toxicity"]["better"] == "lower"


def length_rule(words):
    """What the rule alone says of an answer of that many words."""
    return resolve("rule:length?target=9").score([""], ["w " * words])[0]


def test_people_and_a_judge_give_win_rates_of_their_own(folder):
    found = summary(folder, "beside")["win_rate"]
    assert set(found) == {"toxicity", "other", "blend", "judge", "people"}
    people = found["people"]
    assert (people["wins"], people["losses"], people["win_rate"]["n"]) == (3, 1, 4)
    assert people["p"] == pytest.approx(10 / 16)
    assert found["judge"]["flips"]["n"] <= 6


def test_the_samples_show_both_sides_with_what_is_unsupported(folder):
    rows = read_rows(folder / "runs/beside/samples.jsonl")
    assert len(rows) == 12
    assert rows[0].keys() >= {"before", "after", "unsupported_before", "other_after"}


def test_a_finished_evaluation_is_told_again_without_work(folder, capsys):
    words = ["model=tiny-instruct", f"prompts={folder / 'p.jsonl'}", f"scorers={SCORERS}", *SHORT]
    assert run(["evaluate", *words, "--run", str(folder / "runs/alone")]) == 0
    text = capsys.readouterr().out
    assert "6 prompts, one answer to each" in text
    assert f"humanalign report {folder / 'runs/alone'}" in text


@pytest.mark.parametrize("words", [["--history", "{}"], ["history={}"], ["--history={}"]])
def test_the_trend_is_drawn_however_it_is_asked_for(folder, words, capsys):
    assert run(["evaluate", *(word.format(folder / "runs") for word in words)]) == 0
    told = capsys.readouterr().out
    assert "3 evaluations" in told
    assert (folder / "runs/history.html").is_file()


def test_history_alone_reads_the_folder_of_runs(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert run(["evaluate", "--history"]) == 0
    assert "3 evaluations in runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prompts=p.jsonl"], "model is required"),
        (["model=tiny-instruct"], "prompts is required"),
        (["model=m", "judge=m", "prompts=p.jsonl"], "judge: a win rate needs a model before"),
        (["model=m", "support=true", "hhh=own"], "support: needs answers to prompts"),
        (["--history", "nowhere"], "history: there is no folder nowhere"),
        (["--history", "runs", "model=m"], "history: reads finished evaluations and measures"),
        (["model=m", "prompts=p.jsonl", "constitution=c"], "constitution: is what a judge goes by"),
        # Told before a model is looked for, of which there is none:
        (["model=m", "prompts=p.jsonl", "lower=[x]"], "lower: there is no scorer 'x'"),
        (["model=m", "prompts=p.jsonl", "against=n", "margins={x: 1}"], "'x' is not measured"),
        (["model=m", "hhh=nofile"], "hhh: nofile: no such file"),
        (
            ["model=tiny-instruct", "against=x", "prompts=p.jsonl", "store=f.db"],
            "compare answers of tiny-instruct with answers of x",
        ),
    ],
)
def test_a_mistake_is_one_sentence(folder, words, said, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert run(["evaluate", *words]) == 2
    assert said in capsys.readouterr().err


def test_toxicity_that_is_no_probability_is_refused_and_the_folder_stays_free(
    folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "odd.py").write_text(
        "def score(prompts, answers):\n    return [-1.5 for _ in answers]\n"
    )
    words = ["model=tiny-instruct", "prompts=p.jsonl", *SHORT, "--run", "odd"]
    assert run(["evaluate", *words, "scorers={toxicity: 'python:odd.py:score'}"]) == 2
    assert "toxicity: score -1.5 is not a probability" in capsys.readouterr().err
    assert run(["evaluate", *words, "scorers={mine: 'python:odd.py:score'}"]) == 0


def test_a_scorer_that_raises_is_one_sentence_and_the_answers_are_not_lost(
    folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "boom.py").write_text("def score(prompts, answers):\n    raise ValueError('oh')\n")
    words = ["model=tiny-instruct", "prompts=p.jsonl", *SHORT, "--run", "boom"]
    assert run(["evaluate", *words, "scorers={mine: 'python:boom.py:score'}"]) == 2
    assert "boom.py:score failed with ValueError: oh" in capsys.readouterr().err
    assert [path.name for path in (folder / "boom").iterdir()] == ["data"]
    said = (folder / "boom/data/answers.after.jsonl").read_text()
    assert run(["evaluate", *words, "scorers={mine: 'rule:length'}"]) == 0
    assert (folder / "boom/data/answers.after.jsonl").read_text() == said


def test_a_mistake_before_any_answer_leaves_nothing_behind(folder, monkeypatch):
    monkeypatch.chdir(folder)

    def refuse(*_, **__):
        raise DataError("no")

    monkeypatch.setattr(evaluating, "run_suites", refuse)
    assert run(["evaluate", "model=tiny-instruct", "hhh=own", "--run", "fresh"]) == 2
    assert not (folder / "fresh").exists()


def test_suites_and_measures_are_one_family_and_sides_have_the_names_that_were_typed(
    folder, llama, capsys
):
    items = [
        {"prompt": f"w{i}", "chosen": "w1", "rejected": "w2", "category": "\x1b[2Jodd"}
        for i in range(6)
    ]
    write_rows(folder / "items.jsonl", items)
    place = folder / "other/family"
    words = ["model=tiny-instruct", f"against={llama}", f"prompts={folder / 'words.jsonl'}"]
    words += [f"scorers={SCORERS}", f"hhh={folder / 'items.jsonl'}", *SHORT, "--run", str(place)]
    assert run(["evaluate", *words]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\ufffd[2Jodd" in told
    found = json.loads((place / "run.json").read_text())["summary"]
    assert found["power"]["family"][:3] == ["toxicity", "blend", "hhh"]
    ps = [each["p"] for each in (found["toxicity"], found["scorers"]["blend"])]
    rest = [*found["quality"].values(), found["hhh"]["overall"], found["perplexity"]]
    rest += [found[name] for name in ("length", "distinct1", "distinct2", "distinct3")]
    ps += [each["p"] for each in rest]
    assert found["power"]["looks"] == len(ps)
    least = min(ps)
    smallest = min(each["p_holm"] for each in (found["toxicity"], found["scorers"]["blend"], *rest))
    assert smallest == pytest.approx(min(1, least * len(ps)))
    assert (found["against"], found["perplexity"]["under"]) == (str(llama), str(llama))


@pytest.mark.parametrize(
    "words", [{"prompts": "p.jsonl"}, {"prompts": "p.jsonl", "hhh": "i.jsonl"}]
)
def test_the_bar_runs_to_its_end_and_no_further(folder, words, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    item = {"prompt": "w1", "chosen": "w1", "rejected": "w2", "category": "x"}
    write_rows(folder / "i.jsonl", [item, {**item, "prompt": "w2"}])
    seen = []
    config = EvaluateConfig(model="tiny-instruct", max_new_tokens=4, limit=3, **words)
    evaluating.evaluate(config, tmp_path / "run", lambda *step: seen.append(step))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


def test_a_classifier_is_read_by_the_probability_of_its_named_label(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    classifier = save_classifier(tmp_path / "classifier", ["kind", "toxic"])
    words = ["model=tiny-instruct", "prompts=p.jsonl", *SHORT, "--run", str(tmp_path / "run")]
    assert run(["evaluate", *words, f"scorers={{toxicity: 'hf:{classifier}'}}"]) == 2
    assert "choose one of: kind, toxic" in capsys.readouterr().err
    logit = f"scorers={{toxicity: 'hf:{classifier}?label=toxic&use=logprob'}}"
    assert run(["evaluate", *words, logit]) == 2
    assert "is not a probability" in capsys.readouterr().err
    cached = f"{{cached: 'hf:{classifier}?label=kind&use=prob', file: {tmp_path / 'kept.jsonl'}}}"
    several = "{ensemble: ['rule:length', 'rule:length?target=9'], how: min}"
    scorers = f"{{toxicity: 'hf:{classifier}?label=toxic', kind: {cached}, short: {several}}}"
    assert run(["evaluate", *words, f"scorers={scorers}"]) == 0
    for row in read_rows(tmp_path / "run/samples.jsonl"):
        assert row["toxicity_after"] + row["kind_after"] == pytest.approx(1.0, abs=1e-6)
    assert (tmp_path / "kept.jsonl").is_file()
