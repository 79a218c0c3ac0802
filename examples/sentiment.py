"""A Python function as a reward: VADER's sentiment of the answer, from -1 (sad) to 1 (happy).

Used as `reward=python:examples/sentiment.py:reward`; needs `pip install "humanalign[examples]"`.
"""

from collections.abc import Sequence

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

ANALYZER = SentimentIntensityAnalyzer()


def reward(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """One number per answer: VADER's compound score (Hutto & Gilbert 2014)."""
    del prompts  # the mood of the answer alone
    return [ANALYZER.polarity_scores(text)["compound"] for text in completions]
