"""Instruct models read a conversation by their chat template; the answer's end is always kept."""

import shutil
from pathlib import Path

import pytest
from tiny_models import VOCABULARY
from transformers import AutoTokenizer

from humanalign.conversations import as_messages
from humanalign.errors import ConfigError, DataError
from humanalign.reward.fit import fit_reward
from humanalign.reward.model import LearnedReward
from humanalign.reward.reading import Reader
from humanalign.reward.recipe import Recipe
from humanalign.types import PreferencePair

# The user's turn begins with "you are", the assistant's with "is the"; both end in "!".
TEMPLATE = (
    "{% for m in messages %}{{ 'you are ' if m.role == 'user' else 'is the ' }}"
    "{{ m.content }} ! {% endfor %}{% if add_generation_prompt %}is the {% endif %}"
)
TRANSCRIPT = "\n\nHuman: w1 w2\n\nAssistant: w3\n\nHuman: w4\n\nAssistant:"


@pytest.fixture(scope="module")
def instruct(causal, tmp_path_factory) -> str:
    folder = Path(shutil.copytree(causal, tmp_path_factory.mktemp("instruct") / "model"))
    words = AutoTokenizer.from_pretrained(folder)
    words.chat_template = TEMPLATE
    words.save_pretrained(folder)
    return str(folder)


def words(reader: Reader, prompt: str | None, response: str) -> str:
    names = {i: word for word, i in VOCABULARY.items()}
    return " ".join(names[i] for i in reader.ids(prompt, response)[0])


def test_a_plain_prompt_is_one_message_of_the_user(instruct):
    reader = LearnedReward.start(instruct).reader
    assert words(reader, "w1 w2", "w3") == "you are w1 w2 ! is the w3 !"


def test_a_transcript_is_its_turns(instruct):
    reader = LearnedReward.start(instruct).reader
    assert (
        words(reader, TRANSCRIPT, " w5") == "you are w1 w2 ! is the w3 ! you are w4 ! is the w5 !"
    )


def test_the_answer_and_its_end_are_kept_before_the_prompt(instruct):
    reader = LearnedReward.start(instruct, max_tokens=6).reader
    assert words(reader, TRANSCRIPT, " w5 w6 w7") == "is the w5 w6 w7 !"


def test_where_it_is_not_wanted_the_text_is_read_as_it_is(instruct, causal):
    reader = LearnedReward.start(instruct, chat=False).reader
    assert words(reader, "w1 w2", "w3") == "w1 w2 w3"
    assert words(LearnedReward.start(causal).reader, "w1 w2", "w3") == "w1 w2 w3"


def test_a_saved_reward_goes_on_reading_as_it_was_taught(instruct, tmp_path):
    pairs = [PreferencePair(f"w{i}", "good fine", "bad rude") for i in range(12)]
    recipe = Recipe(lr=1e-3, epochs=1, batch=4, chat=False)
    plain = fit_reward(instruct, pairs, recipe=recipe, device="cpu")
    plain.save(tmp_path)
    again = LearnedReward.load(tmp_path, device="cpu")
    assert not again.reader.chat
    assert again.score(["w1"], ["good"]) == pytest.approx(plain.score(["w1"], ["good"]), abs=1e-5)


def test_a_template_that_is_not_there_cannot_be_asked_for(causal):
    with pytest.raises(ConfigError, match=r"chat: the tokenizer of .* has no chat template"):
        LearnedReward.start(causal, chat=True)


@pytest.mark.parametrize("start", ["\n\nw1", "\n\nw1\n\nHuman: w2"])
def test_text_before_the_first_speaker_is_not_lost(instruct, start):
    prompt = f"{start}\n\nAssistant:"
    assert as_messages(prompt) == [{"role": "user", "content": prompt}]
    assert "w1" in words(LearnedReward.start(instruct).reader, prompt, " w5")


def test_a_conversation_that_the_template_refuses_is_named(instruct):
    reader = LearnedReward.start(instruct).reader
    reader.tokenizer.chat_template = "{{ raise_exception('only users') }}"
    with pytest.raises(
        DataError, match=r"refuses the conversation 'w1 w2' \(only users\); chat=false"
    ):
        reader.ids("w1 w2", "w3")
