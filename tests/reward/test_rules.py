"""Rules: values counted by hand, options checked before anything is scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanalign.errors import ConfigError
from humanalign.reward.rules import RULES, rule_reward


@pytest.mark.parametrize(
    ("rule", "options", "completion", "expected"),
    [
        ("length", {"target": "4"}, "one two three four", 1.0),
        ("length", {"target": "4"}, "one two", 0.5),
        ("length", {"target": "4"}, "one two three four five six", 0.5),
        ("length", {"target": "4"}, "", 0.0),
        ("length", {"target": "2"}, "a b c d e f", 0.0),
        # most awesome most awesome most: am/ma/am -> bigrams 4, distinct 2
        ("no_repeat", {"n": "2"}, "most awesome most awesome most", 0.5),
        ("no_repeat", {"n": "2"}, "all words here differ", 1.0),
        ("no_repeat", {}, "two words", 1.0),
        ("forbidden", {"words": "idiot,fool"}, "You Idiot, you FOOL! idiotic", -2.0),
        ("required", {"words": "please,thanks"}, "Thanks a lot", 0.5),
        ("finished", {}, "He left.", 1.0),
        ("finished", {}, 'He said "no!"', 1.0),
        ("finished", {}, "He said", 0.0),
    ],
)
def test_a_rule_gives_the_value_counted_by_hand(rule, options, completion, expected):
    assert rule_reward(rule, options).score(["a prompt"], [completion]) == [expected]


def test_on_topic_counts_the_words_of_the_answer_that_the_prompt_has():
    reward = rule_reward("on-topic", {})
    # distinct words of four letters or more: summer, lovely; the prompt has summer
    assert reward.score(["About summer"], ["Summer is so lovely"]) == [0.5]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lenght", {}, "did you mean 'length'"),
        ("length", {"taget": "3"}, "did you mean 'target'"),
        ("length", {"target": "many"}, "whole number of at least 1, got 'many'"),
        ("length", {"target": "0"}, "whole number of at least 1, got '0'"),
        ("forbidden", {}, "rule:forbidden\\?words="),
        ("forbidden", {"words": ","}, "names no word"),
        ("finished", {"x": "1"}, "known: none"),
    ],
)
def test_a_wrong_rule_or_option_is_one_sentence(name, options, said):
    with pytest.raises(ConfigError, match=said):
        rule_reward(name, options)


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_rule_gives_a_number_for_any_text(prompt, completion):
    needs = {"forbidden": {"words": "bad"}, "required": {"words": "good"}}
    for name in RULES:
        (value,) = rule_reward(name, needs.get(name, {})).score([prompt], [completion])
        assert (value <= 0.0) if name == "forbidden" else (0.0 <= value <= 1.0)
