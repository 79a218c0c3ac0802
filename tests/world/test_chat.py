"""Chat in the terminal: answers come, and every thumb is in the store."""

import json
import subprocess
import sys

import pytest

from humanalign.prefer.store import FeedbackStore
from humanalign.tiny.world import prompts

pytestmark = pytest.mark.slow


def test_thumbs_given_at_the_terminal_are_in_the_store(tmp_path):
    store = tmp_path / "chat.db"
    message = prompts("test", 1)[0].text.replace("\n", "\\n")
    typed = f"+\n{message}\n+\nr\n-\nq\n"
    words = ["chat", "model=tiny-instruct", f"store={store}", "rater=ada", "max_new_tokens=48"]
    done = subprocess.run(
        [sys.executable, "-m", "humanalign", *words, "--json"],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = done.stdout.splitlines()
    result = json.loads(lines[-1])
    assert (result["answers"], result["thumbs"]) == (2, 2)
    kept = FeedbackStore(str(store))
    answers = kept.completions()
    thumbs = [(answers[t.completion_id].text, t.up, t.rater_id) for t in kept.thumbs()]
    spoken = [line for line in lines[:-1] if not line.startswith(("Nothing", "Thumb"))]
    assert thumbs == [(spoken[0], True, "ada"), (spoken[1], False, "ada")]
