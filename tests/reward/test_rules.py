"""Rules: values counted by hand, options checked before anything is scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanalign.errors import ConfigError, DataError
from humanalign.reward.rules import RULES, rule_reward
from humanalign.rows import read_rows


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
        ("forbidden", {"words": "piece of cake"}, "A Piece of cake! A piece is cake", -1.0),
        ("forbidden", {"words": "a$$,@55"}, "A $ is no A$$, is it? '@55!' a", -2.0),
        ("matches", {"pattern": "^{.*}$"}, "{a\nb}", 1.0),
        ("matches", {"pattern": "^{.*}$"}, "so {a}", 0.0),
        ("is_json", {}, "[1, 2]", 1.0),
        ("is_json", {}, "[1, 2", 0.0),
        ("is_json", {}, "NaN", 0.0),
        ("is_json", {}, "[" * 100_000, 0.0),
        ("is_json", {"keys": "a, b"}, '{"a": 1, "b": 2, "c": 3}', 1.0),
        ("is_json", {"keys": "a, b"}, '{"a": 1}', 0.0),
        ("is_json", {"keys": "a"}, '["a"]', 0.0),
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


def test_forbidden_words_come_from_a_file_of_lines_or_a_column(tmp_path):
    lines, table = tmp_path / "words.txt", tmp_path / "words.csv"
    lines.write_text("idiot\npiece of work\n", encoding="utf-8")
    table.write_text("text,severity\nidiot,2\npiece of work,1\n", encoding="utf-8")
    said = ["You idiot, you piece of work", "A piece of cake at work"]
    for file in (lines, table):
        assert rule_reward("forbidden", {"file": str(file)}).score([""] * 2, said) == [-2.0, 0.0]


def test_a_lexicon_without_the_column_says_which_it_has(tmp_path):
    table = tmp_path / "words.csv"
    table.write_text("word\nidiot\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'text'; present: word"):
        rule_reward("forbidden", {"file": str(table)})


def test_every_word_of_a_real_lexicon_is_found_in_itself(shared):
    file = shared / "data/surge_toxicity/profanity_en.csv"
    rule = rule_reward("forbidden", {"file": str(file)})
    words = [row["text"] for row in read_rows(file)]
    assert [
        w for w, s in zip(words, rule.score([""] * len(words), words), strict=True) if s >= 0
    ] == []
    assert rule.score([""], ["The committee meets on Monday to pass the class budget."]) == [0.0]


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_rule_gives_a_number_for_any_text(prompt, completion):
    needs = {
        "forbidden": {"words": "bad"},
        "required": {"words": "good"},
        "matches": {"pattern": "a+b"},
    }
    for name in RULES:
        (value,) = rule_reward(name, needs.get(name, {})).score([prompt], [completion])
        assert (value <= 0.0) if name == "forbidden" else (0.0 <= value <= 1.0)
