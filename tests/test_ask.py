"""`humanalign collect --ask`: the store's queue gets what would teach most, and nothing twice."""

from itertools import combinations

import pytest

from humanalign.config import load
from humanalign.errors import ConfigError, DataError
from humanalign.prefer.pairs import prompt_split
from humanalign.prefer.store import FeedbackStore
from humanalign.settings import CollectConfig
from humanalign.tiny.world import prompts
from humanalign.types import Completion, Prompt, Ranking, Rater, Sampler
from humanalign.verbs.answering import collect


@pytest.fixture
def store(tmp_path) -> FeedbackStore:
    """Twelve dialogues, three held out, each with a summary and it cut, insulted and doubled."""
    found = FeedbackStore(tmp_path / "f.db")
    plain = [Prompt(each.text, reference=each.reference) for each in prompts("train", 60)]
    parts = [[p for p in plain if (prompt_split(p) == "train") == trained] for trained in (1, 0)]
    for each in parts[0][:9] + parts[1][:3]:
        said = each.reference or ""
        words = [said, said[:20], f"{said} What an idiot.", f"{said} {said}"]
        sampler = Sampler("writer")
        found.add([each], [Completion(each.id, text, sampler) for text in words])
    return found


def ask(tmp_path, name: str, *words: str):
    given = [f"store={tmp_path / 'f.db'}", "ask=true", "reward=tiny-instruct", *words]
    return collect(load(CollectConfig, None, given), tmp_path / name)


def pairs_asked(store: FeedbackStore) -> list[tuple[str, ...]]:
    return [
        edge
        for each in store.comparisons()
        for edge in combinations(sorted(each.completion_ids), 2)
    ]


def answer_all(store: FeedbackStore) -> None:
    store.add_rater(Rater("ann"))
    done = {each.comparison_id for each in store.rankings()}
    for each in store.comparisons():
        if each.id not in done:
            tiers = tuple((c,) for c in sorted(each.completion_ids))
            store.rank(Ranking(each.id, "ann", tiers), key=each.id)


def test_repeated_calls_ask_on_and_never_the_same_pair_twice(store, tmp_path):
    summary = ask(tmp_path, "1", "comparisons=10")
    assert (summary["asked"], summary["waiting"]) == (10, 10)
    assert summary["why"] == {"information": 8, "held out, at random": 2}
    answer_all(store)
    assert ask(tmp_path, "2", "comparisons=10")["waiting"] == 10
    asked = pairs_asked(store)
    assert len(asked) == len(set(asked)) == 20


def test_a_store_in_which_everything_was_compared_is_asked_nothing(store, tmp_path):
    ask(tmp_path, "1", "comparisons=40", "size=4")
    assert len(pairs_asked(store)) == 12 * 6
    summary = ask(tmp_path, "2", "comparisons=40")
    assert (summary["asked"], summary["expected_information"]) == (0, None)


def test_one_comparison_in_five_is_about_prompts_held_out(store, tmp_path):
    ask(tmp_path, "1", "comparisons=10")
    split = {each.id: prompt_split(each) for each in store.prompts().values()}
    assert sum(split[each.prompt_id] != "train" for each in store.comparisons()) == 2


def test_the_first_labeler_gets_the_first_that_was_chosen(store, tmp_path):
    ask(tmp_path, "1", "comparisons=10", "size=3")
    store.add_rater(Rater("ann"))
    first = store.comparisons()[0]
    assert store.next("ann") == first
    assert len(first.completion_ids) == 3


def test_without_a_model_it_says_what_to_give(store, tmp_path):
    with pytest.raises(ConfigError, match="reward=RUN"):
        collect(load(CollectConfig, None, [f"store={store.url}", "ask=true"]), tmp_path / "1")


def test_a_rule_has_no_features_to_ask_by(store, tmp_path):
    words = [f"store={store.url}", "ask=true", "reward=rule:length"]
    with pytest.raises(ConfigError, match="'rule:length' has no features"):
        collect(load(CollectConfig, None, words), tmp_path / "1")


def test_held_out_prompts_with_one_answer_leave_their_share_to_the_others(tmp_path):
    store = FeedbackStore(tmp_path / "f.db")
    made = [Prompt(f"w{i} w{i // 2}") for i in range(30)]
    answers = [
        Completion(each.id, f"w{k} w{i}", Sampler("writer"))
        for i, each in enumerate(made)
        for k in range(3 if prompt_split(each) == "train" else 1)
    ]
    assert any(prompt_split(each) != "train" for each in made)
    store.add(made, answers)
    assert ask(tmp_path, "1", "comparisons=10")["asked"] == 10


def test_an_empty_store_says_what_to_give(tmp_path):
    FeedbackStore(tmp_path / "f.db")
    with pytest.raises(DataError, match="two different answers"):
        ask(tmp_path, "1")


@pytest.mark.slow
def test_prompts_are_sampled_once_and_asked_about(tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("\n".join(each.text.replace("\n", " ") for each in prompts("train", 6)))
    words = [f"prompts={file}", "model=tiny-instruct", "samples=4", "max_new_tokens=24"]
    first = ask(tmp_path, "1", *words, "comparisons=3")
    second = ask(tmp_path, "2", *words, "comparisons=3")
    assert first["completions"] > 6
    assert second["completions"] == 0
    assert (first["asked"], second["waiting"]) == (3, 6)
