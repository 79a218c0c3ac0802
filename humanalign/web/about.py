"""What labelers may say about themselves: each part optional, each with the reason we ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from humanalign.web.words import sentence

LONGEST = 200


@dataclass(frozen=True)
class Part:
    """One question of the self-description; `choices` makes it a list to pick from."""

    name: str
    label: str
    why: str
    choices: tuple[str, ...] = ()
    autocomplete: str = "off"


PARTS = (
    Part(
        "languages",
        sentence("Languages you read well"),
        sentence("Shows which languages the group can judge."),
    ),
    Part(
        "country",
        sentence("Country you live in"),
        sentence("Judgements differ between places. This shows where the group comes from."),
        autocomplete="country-name",
    ),
    Part(
        "age",
        sentence("Age"),
        sentence("Shows whether several generations took part."),
        choices=("18–24", "25–34", "35–44", "45–54", "55–64", "65+"),
    ),
    Part(
        "gender",
        sentence("Gender, in your own words"),
        sentence("Shows whether the group is one-sided."),
    ),
    Part(
        "expertise",
        sentence("Subjects you know well"),
        sentence("Shows which subjects the group can judge with knowledge."),
    ),
)


def described(form: Mapping[str, str]) -> dict[str, str]:
    """What the form says, without the parts left empty."""
    given = {part.name: form.get(f"about_{part.name}", "").strip()[:LONGEST] for part in PARTS}
    return {name: text for name, text in given.items() if text}
