"""What was sampled is kept before the run counts as finished."""

import pytest

from humanalign.collect.complete import collect
from humanalign.errors import StoreError
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.types import Prompt


def test_a_store_that_refuses_leaves_the_run_unfinished(llama, tmp_path):
    def refuse(_):
        raise StoreError("locked")

    run = Run.open(tmp_path / "r", stage="collect", config={})
    words = Sampling(max_new_tokens=3)
    with pytest.raises(StoreError):
        collect(Policy.load(llama), [Prompt("w1")], sampling=words, run=run, keep=refuse)
    assert not run.finished
    kept = []
    collect(Policy.load(llama), [Prompt("w1")], sampling=words, run=run, keep=kept.append)
    assert run.finished
    assert len(kept) == 1


def test_equal_texts_of_one_sampler_are_one_completion(llama):
    greedy = Sampling(temperature=0.0, max_new_tokens=3)
    found = collect(Policy.load(llama), [Prompt("w1"), Prompt("w2")], samples=4, sampling=greedy)
    assert len(found.completions) == 2
    assert found.comparisons() == []


def test_the_folder_of_the_run_does_not_change_what_a_completion_is(llama, tmp_path):
    ids = []
    for folder in ("a", "b"):
        config = {"out": str(tmp_path / folder)}
        run = Run.open(tmp_path / folder, stage="collect", config=config)
        words = Sampling(max_new_tokens=3)
        found = collect(Policy.load(llama), [Prompt("w1")], sampling=words, run=run)
        ids.append({c.id for c in found.completions})
    assert ids[0] == ids[1]
