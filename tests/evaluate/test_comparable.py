"""What two evaluations must share: every part changes its own hash, the seed and the order none."""

from humanalign.evaluate.comparable import comparable, with_scorers
from humanalign.reward.function import load_function
from humanalign.reward.sources import resolve
from humanalign.sampling import Sampling
from humanalign.types import Prompt

PROMPTS = [Prompt("a", reference="x"), Prompt("b")]
SHORT = Sampling(max_new_tokens=8)


class Nameless:
    def score(self, prompts, completions):
        return [0.0 for _ in zip(prompts, completions, strict=True)]


def terms(prompts=PROMPTS, sampling=SHORT, samples=1, **scorers):
    return comparable(prompts, scorers, sampling, samples)


def differing(a, b):
    return {key for key in a if a[key] != b[key]} - {"id"}


def test_the_same_terms_have_the_same_id_in_any_order():
    assert terms() == terms(PROMPTS[::-1])
    assert terms(length=resolve("rule:length"))["id"] == terms(length=resolve("rule:length"))["id"]


def test_every_part_changes_its_own_hash():
    base = terms()
    assert differing(base, terms([*PROMPTS, Prompt("c")])) == {"prompts"}
    assert differing(base, terms([Prompt("a", reference="y"), PROMPTS[1]])) == {"prompts"}
    assert differing(base, terms(sampling=Sampling(temperature=0.0))) == {"sampling"}
    assert differing(base, terms(samples=2)) == {"sampling"}
    changed = terms(length=resolve("rule:length?target=9"))
    assert differing(terms(length=resolve("rule:length?target=8")), changed) == {"scorers"}
    assert base["id"] != changed["id"]


def test_a_function_of_the_same_name_with_other_code_is_another_scorer(tmp_path):
    file = tmp_path / "mine.py"
    hashes = []
    for factor in (1, 2):
        file.write_text(
            f"def score(prompts, completions):\n    return [{factor} for _ in prompts]\n"
        )
        hashes.append(terms(mine=load_function(f"{file}:score"))["scorers"]["mine"])
    assert hashes[0] != hashes[1]


def test_a_scorer_that_cannot_be_told_apart_has_no_hash():
    assert terms(odd=Nameless())["scorers"] == {"odd": None}


def test_a_suite_added_to_the_terms_changes_the_id():
    base = terms()
    more = with_scorers(base, {"hhh": "1234"})
    assert more["scorers"] == {"hhh": "1234"}
    assert more["id"] != base["id"]
    assert with_scorers(base, {})["id"] == base["id"]
