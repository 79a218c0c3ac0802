"""Votes on one corpus, a reward on another: tweets teach what is toxic in comments.

The encoder is MiniLM from the package index; how far this goes with all tweets is measured in
bench/rewards.py.
"""

import pytest

from humanalign.prefer.files.labelled_rows import read_labelled
from humanalign.reward.labels.fit import fit_classifier
from humanalign.reward.labels.measures import label_auroc
from humanalign.reward.recipe import Recipe
from humanalign.reward.sources import resolve

VOTES = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}


@pytest.mark.slow
def test_what_tweets_teach_is_found_in_another_corpus(minilm, shared, tmp_path):
    tweets = read_labelled(
        shared / "data/davidson/labeled_data.csv",
        text="tweet",
        votes=VOTES,
        merge={"toxic": ["hate", "offensive"]},
    )
    recipe = Recipe(lr=2e-4, epochs=1, batch=16, max_tokens=64, freeze_layers=3)
    fit_classifier(minilm, tweets[:300], recipe=recipe, balance=True, run=tmp_path / "run")
    comments = read_labelled(shared / "data/surge_toxicity/toxicity_en.csv", label="is_toxic")
    reward = resolve(f"run:{tmp_path}/run?label=toxic&use=logprob")
    # The toxic comments come first in the file.
    found = label_auroc(reward, comments[::8], "Toxic")
    assert found.ci_low > 0.5
    assert found.n > 120
