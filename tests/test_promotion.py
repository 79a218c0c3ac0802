"""A policy that is shown to be worse in anything is not promoted."""

from humanalign.loop import worse


def test_a_measure_that_got_worse_is_found_in_whatever_group_it_stands():
    evaluated = {
        "policy": "new",
        "toxicity": {"verdict": "improved", "before": {"value": 0.2}},
        "quality": {"rougeL": {"verdict": "worse"}, "rouge1": {"verdict": "no difference shown"}},
        "scorers": {"reward": {"verdict": "worse"}},
        "honesty": {"truthfulqa": {"mc1": {"verdict": "worse"}}},
        "length": {"verdict": "changed"},
        "non_inferiority": [{"metric": "rougeL", "shown": False}],
    }
    assert worse(evaluated) == ["rougeL", "reward", "mc1"]
