"""Where the prompt of two conversations ends: in transcripts, in texts and in lists of messages.

How a conversation is written as text is in `humanalign.conversations`.
"""

from __future__ import annotations

from humanalign.conversations import SPEAKERS, TURN, Messages, as_transcript, turns
from humanalign.errors import DataError, did_you_mean


def split_transcripts(chosen: str, rejected: str) -> tuple[str, str, str]:
    """(prompt, chosen, rejected) of two transcripts that begin alike.

    The prompt ends with the last "\\n\\nAssistant:" that both share; prompt + answer is the
    transcript, letter for letter. DataError where they share none.
    """
    end = chosen.rfind(TURN, 0, _shared(chosen, rejected))
    if end < 0:
        raise DataError("chosen and rejected share no '\\n\\nAssistant:' turn; add a prompt column")
    end += len(TURN)
    return chosen[:end], chosen[end:], rejected[end:]


def split_at_words(chosen: str, rejected: str) -> tuple[str, str, str]:
    """(prompt, chosen, rejected) of two texts that begin alike, without turns.

    The prompt ends with the last white space that both share, as a word is not cut in two.
    DataError: they share no word.
    """
    shared = _shared(chosen, rejected)
    end = max((place for place in range(shared) if chosen[place].isspace()), default=-1) + 1
    if not chosen[:end].strip():
        raise DataError("chosen and rejected begin with no word in common; add a prompt column")
    return chosen[:end], chosen[end:], rejected[end:]


def _shared(chosen: str, rejected: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(chosen, rejected, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(chosen), len(rejected)))


def messages_of(value: object, name: str) -> Messages:
    """A list of {"role", "content"} as (role, content). DataError: anything else."""
    if not isinstance(value, list) or not value:
        raise DataError(f"{name}: expected text or a list of messages, got {value!r:.60}")
    messages = []
    for each in value:
        if not isinstance(each, dict) or not isinstance(each.get("content"), str):
            raise DataError(f"{name}: expected messages of role and content, got {each!r:.60}")
        role = str(each.get("role"))
        if role not in SPEAKERS:
            known = ", ".join(SPEAKERS)
            hint = did_you_mean(role, SPEAKERS)
            raise DataError(f"{name}: expected a role of {known}, got '{role}'{hint}")
        messages.append((role, each["content"]))
    return messages


def pair_of_messages(
    prompt: Messages | None, chosen: Messages, rejected: Messages
) -> tuple[str, str, str]:
    """(prompt, chosen, rejected) as text; without a prompt, the messages both share are it."""
    if prompt is None:
        shared = 0
        while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
            shared += 1
        # The answer itself is never part of the prompt, even where both are the same.
        shared = min(shared, len(chosen) - 1, len(rejected) - 1)
        prompt = chosen[:shared]
    # Many files repeat the prompt at the head of both answers.
    size = len(prompt)
    if list(chosen[:size]) == list(rejected[:size]) == list(prompt) and size < min(
        len(chosen), len(rejected)
    ):
        chosen, rejected = chosen[size:], rejected[size:]
    if not prompt:
        raise DataError("the conversation has no prompt; let it begin with a user message")
    if len(prompt) == 1 and prompt[0][0] == "user":
        return prompt[0][1], _answer(chosen), _answer(rejected)
    return as_transcript(prompt), " " + _answer(chosen), " " + _answer(rejected)


def _answer(messages: Messages) -> str:
    """The first message's text, and the turns after it as a transcript."""
    if messages[0][0] != "assistant":
        raise DataError(f"an answer must be the assistant's, got the {messages[0][0]}'s")
    return messages[0][1] + turns(messages[1:])
