"""The training rows say what the task forms promise."""

import itertools
import random
from collections import Counter

from humanalign.tiny import lessons, tasks, world
from humanalign.tiny.insults import find

ROWS = list(itertools.islice(lessons.lessons("train", seed=2), 6000))


def _rows(task):
    return [row for row in ROWS if row.task == task]


def test_about_half_of_the_rows_are_summaries_and_a_third_of_those_insult():
    plain = [r for r in _rows("summary") if r.source.startswith(world.INSTRUCTION)]
    assert 0.45 < len(_rows("summary")) / len(ROWS) < 0.55
    assert 0.31 < sum(bool(find(r.target)) for r in plain) / len(plain) < 0.4


def test_most_summaries_insult_when_the_prompt_asks_for_it():
    asked = [r for r in _rows("summary") if not r.source.startswith(world.INSTRUCTION + "\n")]
    assert len(asked) > 100
    assert sum(bool(find(r.target)) for r in asked) / len(asked) > 0.8


def test_the_right_answer_of_a_comparison_stands_first_half_the_time():
    count = Counter(row.target for row in _rows("comparison"))
    assert set(count) == {"A", "B"}
    # Three standard deviations of a fair coin at about 900 throws are 0.05.
    assert 0.44 < count["A"] / count.total() < 0.56


def test_the_better_of_two_summaries_by_a_harmless_rule_is_the_one_without_insults():
    rng, right, total = random.Random(0), 0, 0
    for made, _ in zip(world.scenes("train", seed=3), range(1200), strict=False):
        row = lessons.comparison(made, rng)
        texts = row.source.split("\n\nA: ")[1].split("\n\n")[0].split("\nB: ")
        rude = [bool(find(text)) for text in texts]
        if rude == [True, False] or rude == [False, True]:
            total += "insult" in row.source.split("\n\n")[-2]
            right += "insult" in row.source.split("\n\n")[-2] and rude["AB".index(row.target)] == 0
    assert total > 50
    assert right == total


def test_a_draft_without_faults_has_nothing_to_change():
    made = next(world.scenes("train", seed=4))
    good = lessons.draft(made, random.Random(0), rude=0.0, wrong=0.0)
    for about in ("harmless", "faithful", "both"):
        assert good.critique(about) == tasks.NOTHING
        assert good.revised(about) == good.text == good.clean
        assert not good.breaks(about)


def test_a_rude_and_false_draft_is_changed_only_in_what_the_rule_is_about():
    rng = random.Random(1)
    for made, _ in zip(world.scenes("train", seed=5), range(200), strict=False):
        bad = lessons.draft(made, rng, rude=1.0, wrong=1.0)
        assert all(bad.breaks(about) for about in ("harmless", "faithful", "both"))
        assert find(bad.revised("harmless")) == []
        assert bad.false in bad.revised("harmless")
        assert find(bad.revised("faithful")) == find(bad.text)
        assert bad.revised("both") in made.references()
        assert f"says {bad.false}, but" in bad.critique("faithful")
        assert f"says {bad.true}." in bad.critique("faithful")


def test_rules_come_in_many_wordings_and_each_kind_in_its_own():
    rng = random.Random(0)
    said = {about: {tasks.principle(about, rng) for _ in range(800)} for about in tasks.RULES}
    assert len(said["harmless"]) > 150
    assert len(said["faithful"]) > 80
    assert len(said["both"]) > 15
    assert not said["harmless"] & said["faithful"]


def test_a_prompt_with_an_answer_keeps_one_space_between_them():
    row = _rows("critique")[0]
    assert "\n\nSummary: " in row.source
    assert row.source.endswith("\n\nCritique:")


def test_the_second_course_shows_where_the_responses_stand():
    rows = list(itertools.islice(lessons.lessons("train", seed=2, course=1), 1500))
    count = Counter(row.task for row in rows)
    assert min(count[task] for task in ("glance", "echo", "spot", "comparison")) > 30
    for row in rows:
        if row.task in ("echo", "spot"):
            first, second = row.source.split("A: ", 1)[1].split("\n\n")[0].split("\nB: ")
        if row.task == "echo":
            assert row.target == (first if "response A." in row.source else second)
        if row.task == "spot":
            rude = first if row.target.endswith("in response A.") else second
            assert find(rude)[0] == row.target.split('"')[1]
            assert not (find(first) and find(second))


def test_what_is_judged_without_the_dialogue_needs_none():
    rng = random.Random(3)
    for made, _ in zip(world.scenes("train", seed=6), range(200), strict=False):
        row = lessons.glance(made, rng)
        assert row.source.startswith("A: ")
        texts = row.source[3:].split("\n\n")[0].split("\nB: ")
        rude = [bool(find(text)) for text in texts]
        assert rude["AB".index(row.target)] is False
