"""A conversation as text: "\\n\\nHuman: ...\\n\\nAssistant: ..." (Bai et al., arXiv 2204.05862).

A conversation of one user message is its plain text; a longer one becomes a transcript that ends
in "\\n\\nAssistant:", and its answers begin with the space that follows. So every conversation is
a text, and every scorer takes text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Messages = Sequence[tuple[str, str]]

TURN = "\n\nAssistant:"
SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System"}
ROLES = {speaker: role for role, speaker in SPEAKERS.items()}
SPOKEN = re.compile(r"\n\n(Human|Assistant|System):")


def is_transcript(prompt: str) -> bool:
    """Whether a prompt is a transcript: somebody speaks first, and the assistant is awaited."""
    return bool(SPOKEN.match(prompt.removesuffix(TURN))) and prompt.endswith(TURN)


def as_transcript(messages: Messages) -> str:
    """The transcript of a conversation, waiting for the assistant."""
    return turns(messages) + TURN


def as_messages(prompt: str) -> list[dict[str, str]]:
    """The messages of a prompt: the turns of a transcript, else one message of the user."""
    if not is_transcript(prompt):
        return [{"role": "user", "content": prompt}]
    parts = SPOKEN.split(prompt[: -len(TURN)])
    return [
        {"role": ROLES[speaker], "content": content.strip()}
        for speaker, content in zip(parts[1::2], parts[2::2], strict=True)
    ]


def turns(messages: Messages) -> str:
    """The turns of a conversation, one after the other."""
    return "".join(f"\n\n{SPEAKERS[role]}: {content}" for role, content in messages)
