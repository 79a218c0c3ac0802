"""What a user can get wrong: exit code 2, one sentence on stderr, and the thing by its name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_models

from humanalign.cli import run
from humanalign.prefer.store import FeedbackStore


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Relative paths, and the default run directory, belong to the test."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def prompts(tmp_path) -> Path:
    return written(tmp_path / "prompts.jsonl", '{"prompt": "w1 w2"}\n{"prompt": "w3"}\n')


@pytest.fixture
def align(llama, prompts) -> list[str]:
    """A command that works, to be spoilt in one place."""
    small = ["steps=1", "batch=4", "epochs=1", "max_new_tokens=4", "lora.rank=2"]
    return ["align", f"model={llama}", f"prompts={prompts}", "reward=rule:length", *small]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def sentence(capfd: pytest.CaptureFixture, argv: list[str]) -> str:
    """The one line that the command says; fails on anything besides."""
    capfd.readouterr()
    code = run(argv)
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("humanalign: ")
    assert "Traceback" not in err
    return lines[0].removeprefix("humanalign: ")


def without(argv: list[str], *keys: str) -> list[str]:
    return [word for word in argv if word.partition("=")[0] not in keys]


FAULTS = [
    ("missing.jsonl", None, ["missing.jsonl", "no such file"]),
    ("empty.jsonl", "", ["empty.jsonl", "is empty"]),
    ("blank.jsonl", "\n\n", ["blank.jsonl", "no rows"]),
    ("broken.jsonl", '{"prompt": "a"}\n{"prompt": \n', ["broken.jsonl", "line 2"]),
    ("column.jsonl", '{"promt": "a", "id": 1}\n', ["'prompt'", "present: promt, id"]),
    (
        "pointer.jsonl",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
        ["pointer.jsonl", "LFS pointer"],
    ),
    ("prompts.docx", "x", ["prompts.docx", ".docx"]),
]


@pytest.mark.parametrize(("name", "text", "parts"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_file_that_is_not_what_is_needed(align, capfd, tmp_path, name, text, parts):
    if text is not None:
        written(tmp_path / name, text)
    said = sentence(capfd, [*without(align, "prompts"), f"prompts={name}", "--run", "r"])
    assert all(part in said for part in parts), said
    assert not (tmp_path / "r").exists()  # so that the corrected command may use it


@pytest.mark.parametrize(("name", "text", "parts"), FAULTS[:6], ids=[f[0] for f in FAULTS[:6]])
@pytest.mark.parametrize("verb", ["sft", "reward", "dpo", "ilql"])
def test_the_other_verbs_say_the_same_of_their_data(
    verb, llama, capfd, tmp_path, name, text, parts
):
    if text is not None:
        written(tmp_path / name, text)
    argv = {
        "sft": ["sft", f"data={name}"],
        "reward": ["reward", f"pairs={name}"],
        "dpo": ["align", "method=dpo", f"pairs={name}"],
        "ilql": ["align", "method=ilql", f"data={name}"],
    }[verb]
    said = sentence(capfd, [*argv, f"model={llama}", "--run", "r"])
    if name == "column.jsonl":
        assert "promt, id" in said
    else:
        assert all(part in said for part in parts), said
    assert not (tmp_path / "r").exists()


def test_a_gold_function_that_fails_is_named_and_leaves_the_directory_to_its_correction(
    align, capfd, tmp_path
):
    written(tmp_path / "held.jsonl", '{"prompt": "w4"}\n{"prompt": "w5 w6"}\n')
    written(tmp_path / "bad.py", "def gold(prompts, completions):\n    raise ValueError('oh')\n")
    argv = [*align, "monitor.prompts=held.jsonl", "--run", "r"]
    said = sentence(capfd, [*argv, "monitor.gold=python:bad.py:gold"])
    assert said == "bad.py:gold failed with ValueError: oh; mend the function"
    assert run([*argv, "monitor.gold=rule:on_topic"]) == 0


def test_a_template_of_columns_that_are_not_there(align, capfd):
    said = sentence(capfd, [*align, "template=Summarize: {dialogue}"])
    assert "'dialogue'" in said
    assert "present: prompt" in said


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("kl.cof=0.1", ["unknown key 'kl.cof'", "did you mean 'kl.coef'"]),
        ("stepz=3", ["unknown key 'stepz'", "did you mean 'steps'"]),
        ("lr=fast", ["lr: expected a number, got 'fast'"]),
        ("steps=many", ["steps: expected a whole number"]),
        ("method=pppo", ["unknown method 'pppo'", "did you mean 'ppo'"]),
        ("reward=rule:lenght", ["'lenght'", "length"]),
        ("reward=python:nowhere.py:f", ["nowhere.py"]),
        ("reward=run:nowhere", ["nowhere", "run.json is missing"]),
        ("reward=null", ["reward is required"]),
        ("model=./nowhere", ["nowhere", "does not exist"]),
        ("split=tset", ["tset"]),
        ("minibatches=9", ["minibatches: expected at most batch=4"]),
        ("temperature=0", ["temperature: expected above 0"]),
        ("nonsense", ["'nonsense'", "key=value"]),
        ("nowhere.yaml", ["nowhere.yaml", "does not exist"]),
    ],
)
def test_a_setting_that_cannot_be(align, capfd, word, parts):
    said = sentence(capfd, [*without(align, word.partition("=")[0]), word])
    assert all(part in said for part in parts), said


def test_an_unknown_verb_or_option_or_a_key_without_value(capfd):
    assert "alling" in sentence(capfd, ["alling"])
    assert "--bogus" in sentence(capfd, ["--bogus"])
    assert "--steps" in sentence(capfd, ["align", "--steps"])


def test_a_label_that_the_classifier_does_not_have(align, capfd, tmp_path):
    judge = tiny_models.save_classifier(tmp_path / "judge", ["spam", "hate", "nothate"])
    argv = [*without(align, "reward"), f"reward=hf:{judge}"]
    said = sentence(capfd, [*argv, "label=nothat"])
    assert "no label 'nothat'" in said
    assert "spam, hate, nothate" in said
    assert "did you mean 'nothate'" in said
    assert "spam, hate, nothate" in sentence(capfd, argv)


def test_a_model_without_a_tokenizer(align, llama, capfd, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(llama, bare, ignore=shutil.ignore_patterns("token*"))
    said = sentence(capfd, [*without(align, "model"), f"model={bare}"])
    assert "without a tokenizer" in said
    assert str(bare) in said


def test_a_directory_that_is_no_model(align, capfd, tmp_path):
    (tmp_path / "odd").mkdir()
    assert "holds no model" in sentence(
        capfd, [*without(align, "model"), f"model={tmp_path / 'odd'}"]
    )


def test_a_prompt_longer_than_the_context_and_its_remedy(align, capfd, tmp_path):
    rows = [{"prompt": "w1 w2"}, {"prompt": " ".join(["w5"] * 70)}]
    long = written(tmp_path / "long.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    argv = [*without(align, "prompts"), f"prompts={long}", "--run", "r"]
    said = sentence(capfd, argv)
    assert "a prompt of 71 tokens" in said
    assert "long_prompts=drop" in said
    assert run([*argv, "long_prompts=drop"]) == 0


def test_a_run_of_another_stage_and_of_another_config(align, llama, capfd):
    assert run([*align, "--run", "r"]) == 0
    said = sentence(capfd, [*align, "seed=1", "--run", "r"])
    assert "seed=0, now it is 1" in said
    assert "another directory" in said
    said = sentence(capfd, ["evaluate", f"model={llama}", "prompts=prompts.jsonl", "--run", "r"])
    assert "stage 'align', not 'evaluate'" in said


def test_an_unfinished_run_is_no_model_and_no_reward(align, capfd, tmp_path):
    (tmp_path / "r").mkdir()
    record = {"stage": "align", "id": "x", "status": "running", "started": "2026-01-01"}
    written(tmp_path / "r" / "run.json", json.dumps(record))
    assert "not finished" in sentence(capfd, [*without(align, "model"), "model=r"])


def test_a_store_without_rankings(capfd):
    FeedbackStore("feedback.db").close()
    assert "holds no rankings" in sentence(capfd, ["prefer", "store=feedback.db"])


@pytest.mark.parametrize(
    "words", [["prefer"], ["judge", "model=tiny-instruct"], ["pairs", "out=p.jsonl"]]
)
def test_a_store_that_is_not_there_is_not_made(capfd, words):
    said = sentence(capfd, [*words, "store=feedbak.db"])
    assert "feedback store feedbak.db does not exist" in said
    assert not Path("feedbak.db").exists()


def test_json_is_one_object_on_the_last_line_and_all_of_stdout(align, capfd):
    capfd.readouterr()
    assert run([*align, "--run", "r", "--json"]) == 0
    out, err = capfd.readouterr()
    [line] = out.splitlines()
    result = json.loads(line)
    assert result["run"] == "r"
    assert (result["steps"], result["method"]) == (1, "ppo")
    assert "{" not in err
    assert run([*align, "--run", "r", "--json"]) == 0  # a finished run tells it again
    assert json.loads(capfd.readouterr().out) == result


def test_what_people_read_is_one_number_a_line(align, capfd):
    capfd.readouterr()
    assert run([*align, "--run", "r"]) == 0
    out = capfd.readouterr().out.splitlines()
    assert "method: ppo" in out
    assert "optimizer_steps: 1" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_says_so_and_goes_on_from_its_checkpoint(align, tmp_path, number):
    argv = [*without(align, "steps"), "steps=100000", "checkpoint.every=1", "--run", "r"]
    process = subprocess.Popen(
        [sys.executable, "-m", "humanalign", *argv],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A suite started in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_for(tmp_path / "r" / "checkpoints" / "latest", process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("humanalign: interrupted; the same command goes on")
    assert json.loads((tmp_path / "r" / "run.json").read_text())["status"] == "running"


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_keyboard_interrupt_in_a_stage_is_130(align, capfd, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    capfd.readouterr()
    with monkeypatch.context() as broken:
        broken.setattr("humanalign.align.online._Loop.train", interrupt)
        assert run([*align, "--run", "r"]) == 130
    assert "interrupted" in capfd.readouterr().err
    assert run([*align, "--run", "r"]) == 0


def test_a_mistake_in_the_settings_leaves_no_run_that_refuses_its_correction(align, capfd):
    wrong = [*align, "method=rloo", "group=3", "--run", "r"]
    assert "group: expected 2 or more and a divisor of batch=4, got 3" in sentence(capfd, wrong)
    assert run([*align, "method=rloo", "group=2", "--run", "r"]) == 0


def test_settings_that_cannot_work_together(align, capfd):
    said = sentence(capfd, [*without(align, "lora.rank"), "lora.rank=0", "dtype=bfloat16"])
    assert said.startswith("dtype: bfloat16")
    assert "method=ppo takes none" in sentence(capfd, [*align, "objective.std=false"])


def test_a_verb_on_a_finished_run_wants_its_name(capfd):
    assert sentence(capfd, ["score"]) == "name what to work on: humanalign score RUN"


def test_an_answer_that_does_not_fit_after_its_prompt(llama, capfd, tmp_path):
    long = {"prompt": "w1 " * 40, "response": "w2 " * 40}
    data = written(tmp_path / "d.jsonl", json.dumps(long) + "\n")
    said = sentence(capfd, ["sft", f"model={llama}", f"data={data}"])
    assert "and its answer of" in said
