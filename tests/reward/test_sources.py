"""One string or list names a reward; what it cannot name is refused in one sentence."""

import subprocess
import sys

import pytest

from humanalign.errors import ConfigError, DataError, RunError
from humanalign.reward.classifier import ClassifierReward
from humanalign.reward.model import LearnedReward
from humanalign.reward.sources import resolve
from humanalign.run import Run
from humanalign.types import RewardModel

PROMPTS = ["w1 w2", "w3"]
# Found under this name wherever the suite is started from.
FUNCTIONS = f"{__package__}.functions"
TEXTS = ["good w5 .", "you are rude !"]


def test_a_function_in_a_file_is_a_reward(reward_file):
    reward = resolve(f"python:{reward_file}:by_length")
    assert isinstance(reward, RewardModel)
    assert reward.score(PROMPTS, TEXTS) == [9.0, 14.0]


def test_an_array_of_numbers_is_as_good_as_a_list(reward_file):
    assert resolve(f"python:{reward_file}:as_array").score(PROMPTS, TEXTS) == [5.0, 2.0]


def test_a_function_in_a_module_is_a_reward():
    reward = resolve(f"python:{FUNCTIONS}:shorter")
    assert reward.score(PROMPTS, ["ab", "abcd"]) == [-2.0, -4.0]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("short", "returned 1 scores for 2 completions"),
        ("broken", "score 0 is nan"),
        ("one_number", "it returned float"),
    ],
)
def test_a_function_that_answers_badly_is_named(reward_file, function, said):
    with pytest.raises(DataError, match=said) as caught:
        resolve(f"python:{reward_file}:{function}").score(PROMPTS, TEXTS)
    assert function in str(caught.value)


def test_prompts_and_completions_must_match(reward_file):
    with pytest.raises(DataError, match="2 prompts but 1 completions"):
        resolve(f"python:{reward_file}:by_length").score(PROMPTS, TEXTS[:1])


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("pyton:x.py:f", ConfigError, "did you mean 'python'"),
        ("rule:", ConfigError, "names nothing after"),
        ("rule:lengh", ConfigError, "did you mean 'length'"),
        ("python:nowhere.py:f", DataError, "nowhere.py is not a file"),
        ("python:no_such_module:f", ConfigError, "cannot be imported"),
        ("python:file.py", ConfigError, "names no function"),
        (f"python:{FUNCTIONS}:shortr", ConfigError, "did you mean 'shorter'"),
        ("hf:/no/such/dir", DataError, "no directory /no/such/dir"),
        ("run:/no/such/run", RunError, "holds no run"),
        ([], ConfigError, "a list of"),
        (["rule:length"], ConfigError, "rows, got 'rule:length'"),
        ([{"reward": "rule:length", "weight": "big"}], ConfigError, "got 'big'"),
        ([{"weight": 2}], ConfigError, "expected the key 'reward'"),
        ({"ensemble": ["rule:length"]}, ConfigError, "2 or more rewards"),
        ({"ensemble": ["rule:length"] * 2, "how": "max"}, ConfigError, "got 'max'"),
        ({"ensemble": ["rule:length"] * 2, "hw": "min"}, ConfigError, "no key 'hw'"),
        ("run:x?batch_size=none", ConfigError, "got 'none'"),
        ("run:x?usage=prob", ConfigError, "no option 'usage'.*did you mean 'use'"),
        ({"ensemble": ["rule:length"] * 2, "c": "big"}, ConfigError, "c: expected a number"),
        ({"cached": "rule:length"}, ConfigError, "needs the file that keeps the scores"),
        ({"cached": "rule:length", "fil": "x"}, ConfigError, "did you mean 'file'"),
        ({"reward": "rule:length", "tarket": 3}, ConfigError, "did you mean 'target'"),
        ("rule:matches?pattern=(", ConfigError, "is no regular expression"),
        ("rule:forbidden?file=/no/such.txt", DataError, "no such file"),
    ],
)
def test_a_spec_that_names_nothing_usable_is_refused(spec, error, said):
    with pytest.raises(error, match=said):
        resolve(spec)


def test_a_label_for_a_reward_without_labels_is_refused_rather_than_ignored():
    with pytest.raises(ConfigError, match="has no labels, got label='nothate'"):
        resolve("rule:length", label="nothate")


def test_a_learned_reward_has_no_labels_and_says_so(encoder, tmp_path):
    LearnedReward.start(encoder).save(tmp_path)
    with pytest.raises(ConfigError, match="has no labels, got label='toxic'"):
        resolve(f"run:{tmp_path}", label="toxic")
    with pytest.raises(ConfigError, match="no option 'use'; known: batch_size"):
        resolve(f"run:{tmp_path}?use=prob")


def test_options_beside_a_reward_are_those_behind_its_question_mark():
    beside = resolve({"reward": "rule:length", "target": 2})
    assert beside == resolve("rule:length?target=2")


def test_sums_and_ensembles_nest(tmp_path):
    # the sum gives 2 * 1 + 5 = 7, the other member 1: mean 4, standard deviation 3
    total = [
        {"reward": f"python:{FUNCTIONS}:one", "weight": 2},
        {"reward": f"python:{FUNCTIONS}:five"},
    ]
    wary = {"ensemble": [total, f"python:{FUNCTIONS}:one"], "how": "pessimistic", "c": 1}
    kept = {"cached": wary, "file": str(tmp_path / "scores.jsonl")}
    assert resolve([{**kept, "weight": 10}]).score(["p"], ["c"]) == [10.0]


def test_a_list_is_the_weighted_sum_of_its_parts(reward_file):
    spec = [
        {"reward": f"python:{reward_file}:by_length", "weight": 0.5},
        {"reward": "rule:forbidden?words=rude", "weight": 3},
    ]
    # 9/2 + 0 and 14/2 - 3
    assert resolve(spec).score(PROMPTS, TEXTS) == [4.5, 4.0]


@pytest.mark.parametrize(
    ("how", "c", "expected"), [("mean", 1, 3.0), ("min", 1, 1.0), ("pessimistic", 0.5, 2.0)]
)
def test_an_ensemble_joins_its_members(how, c, expected):
    # members say 1 and 5: mean 3, minimum 1, standard deviation 2
    members = [f"python:{FUNCTIONS}:one", f"python:{FUNCTIONS}:five"]
    reward = resolve({"ensemble": members, "how": how, "c": c})
    assert reward.score(["p"], ["c"]) == [expected]


def test_options_after_the_question_mark_reach_the_classifier(hate):
    reward = resolve(f"hf:{hate}?label=nothate&use=prob&text=both&batch_size=7")
    assert isinstance(reward, ClassifierReward)
    assert (reward.label, reward.use, reward.text, reward.batch_size) == (
        "nothate",
        "prob",
        "both",
        7,
    )


def test_a_bare_directory_is_read_for_what_it_is(hate, encoder, tmp_path):
    LearnedReward.start(encoder).save(tmp_path / "saved")
    assert isinstance(resolve(hate, label="hate"), ClassifierReward)
    assert isinstance(resolve(str(tmp_path / "saved")), LearnedReward)


def test_a_finished_run_is_a_reward_and_an_unfinished_one_is_not(encoder, tmp_path):
    run = Run.open(tmp_path / "run", stage="reward", config={})
    LearnedReward.start(encoder).save(run.path / "model")
    with pytest.raises(RunError, match="not finished"):
        resolve(f"run:{run.path}")
    run.finish({})
    assert isinstance(resolve(f"run:{run.path}"), LearnedReward)


def test_a_rule_needs_no_torch():
    code = (
        "import sys; from humanalign.reward.sources import resolve;"
        "print(resolve('rule:length?target=2').score(['p'], ['a b']), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1.0] False"
