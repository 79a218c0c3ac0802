"""The words of the ranking page that are not in a template: questions, keys, what scripts say."""

from __future__ import annotations

from collections.abc import Mapping

from humanalign.web.label import forms
from humanalign.web.words import Translate, sentence

KINDS: Mapping[str, str] = {
    "ranking": sentence("Rank several answers"),
    "pairwise": sentence("Choose between two answers"),
    "thumb": sentence("Good or not"),
    "rating": sentence("Rate answers"),
}
QUESTIONS: Mapping[str, str] = {
    "ranking": sentence("Rank the answers, 1 for the best"),
    "pairwise": sentence("Which answer is better?"),
    "thumb": sentence("Is this answer good?"),
    "rating": sentence("Rate the answer from 1 to {scale}, {scale} for the best"),
}

Key = tuple[tuple[str, ...], str]
# Keys that a kind has for itself come first, those of every kind after them.
RANK_KEYS: tuple[Key, ...] = (
    (("1 … 9",), sentence("Give the answer this rank and go to the next")),
    (("f",), sentence("Mark the answer as unusable and go to the next")),
    (("=",), sentence("Tie the answer with the one before it and go to the next")),
    (("Alt ↑", "Alt ↓"), sentence("Move the answer up or down in the ranking")),
    (("j", "k", "Tab"), sentence("Next answer, previous answer")),
)
OWN_KEYS: Mapping[str, tuple[Key, ...]] = {
    "ranking": RANK_KEYS,
    "pairwise": (
        (("1", "2"), sentence("A is better, B is better")),
        (("0",), sentence("Both are equally good")),
        (("f",), sentence("Both are unusable")),
        (("Enter",), sentence("Submit what is chosen")),
        (("j", "k"), sentence("Scroll to the next or previous answer")),
    ),
    "thumb": (
        (("1",), sentence("The answer is good")),
        (("0",), sentence("The answer is not good")),
        (("Enter",), sentence("Submit what is chosen")),
    ),
    "rating": (
        (("1 … 9",), sentence("Rate the answer and go to the next")),
        (("j", "k", "Tab"), sentence("Next answer, previous answer")),
    ),
}
KEYS: tuple[Key, ...] = (
    (("e",), sentence("Show all of a long answer, or less of it")),
    (("r",), sentence("Show or hide an answer that is covered")),
    (("n",), sentence("Write a note")),
    (("g",), sentence("Open or close the instructions")),
    (("s",), sentence("Skip the task, with a reason")),
    (("u",), sentence("Go back to the previous answer and change it")),
    (("Ctrl Enter",), sentence("Submit")),
    (("?",), sentence("Show these keys")),
)
MISSING: Mapping[str, str] = {
    "ranking": forms.RANK_IT,
    "pairwise": forms.CHOOSE_ONE,
    "thumb": forms.THUMB_IT,
    "rating": forms.RATE_IT,
}
SAID: Mapping[str, str] = {
    "ranked": sentence("Answer {letter} is now rank {rank}"),
    "tied": sentence("Answer {letter} is now rank {rank}, tied with {others}"),
    "unusable": sentence("Answer {letter} is now F, unusable"),
    "rank": sentence("Rank {rank}"),
    "rankTied": sentence("Rank {rank}, tied with {others}"),
    "out": sentence("F, unusable"),
    "waiting": sentence("No rank yet"),
    "allRanked": sentence("All ranked"),
    "first": sentence("Answer {letter} is first already"),
    "last": sentence("Answer {letter} is last already"),
    "nothingBefore": sentence("There is no answer before this one to tie with"),
    "beforeIsOpen": sentence("Answer {letter} has no mark yet to tie with"),
    "saving": sentence("Saving the draft"),
    "saved": sentence("Draft saved"),
    "kept": sentence("Draft kept in this tab, not on the server yet"),
    "restored": sentence("Your draft was restored"),
    "sending": sentence("Sending"),
    "stored": sentence("Answer stored."),
    "unsent": sentence("Not sent yet, trying again. Nothing is lost if you reload."),
    "refused": sentence("This was not accepted. Your marks are kept: reload the page, then send."),
    "more": sentence("Show all of answer {letter}"),
    "less": sentence("Show less of answer {letter}"),
    "reported": sentence("Your report is sent. The task is still yours."),
    "notReported": sentence("The report could not be sent. Try again in a moment."),
    "unread": sentence("The instructions could not be loaded. Try again in a moment."),
}


def spoken(kind: str, _: Translate) -> dict[str, str]:
    """Every sentence that the page's scripts say, translated, with its {places} still open."""
    return {name: _(said) for name, said in SAID.items()} | {"missing": _(MISSING[kind])}
