"""A conversation as an instruct model was taught to read it: by its tokenizer's chat template.

Prompts come as text (conversations.py): a transcript is its turns, any other text one message of
the user. The template writes everything up to the answer, and what ends an answer.
"""

from __future__ import annotations

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from humanalign.conversations import as_messages
from humanalign.errors import ConfigError, DataError

# No template says this by itself.
ANSWER = "zqx-answer-zqx"


def opening(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """The text up to the answer. DataError: a conversation that the template refuses."""
    return _render(tokenizer, as_messages(prompt), add_generation_prompt=True)


def closing(tokenizer: PreTrainedTokenizerBase) -> str:
    """The text that the template writes after an answer: the end of a turn, or nothing."""
    answered = [{"role": "user", "content": "a"}, {"role": "assistant", "content": ANSWER}]
    return _render(tokenizer, answered, add_generation_prompt=False).rpartition(ANSWER)[2]


def uses_chat(tokenizer: PreTrainedTokenizerBase, chat: bool | None, name: str) -> bool:
    """Whether to read by the template; None: where there is one. ConfigError: asked for, absent."""
    if chat and not tokenizer.chat_template:
        raise ConfigError(f"chat: the tokenizer of {name} has no chat template; leave chat out")
    return bool(tokenizer.chat_template) if chat is None else chat


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], add_generation_prompt: bool
) -> str:
    try:
        rendered = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except TemplateError as error:
        first = messages[0]["content"][:40]
        raise DataError(
            f"chat: the template refuses the conversation {first!r} ({error}); chat=false reads "
            "its text as it is"
        ) from None
    return str(rendered)
