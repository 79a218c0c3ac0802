"""The statistics on real annotators, through the importers, against loops over the raw files."""

import csv
import gzip
import json
from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations

import pytest

from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.statistics.summary import Rated, summarise

CLOSE = 1e-9


def by_loops(units, distance):
    """Krippendorff's alpha as it is defined: every ordered pair of values, one by one."""
    paired = [unit for unit in units if len(unit) > 1]
    values = [value for unit in paired for value in unit]
    inside = sum(
        Fraction(distance(a, b)) / (len(unit) - 1)
        for unit in paired
        for a, b in permutations(unit, 2)
    )
    counts = Counter(values)
    among = sum(counts[a] * counts[b] * distance(a, b) for a in counts for b in counts)
    return float(1 - inside / len(values) / Fraction(among, len(values) * (len(values) - 1)))


def test_pandalms_three_annotators(shared):
    path = shared / "data" / "pandalm" / "testset.shared.json"
    rows = json.loads(path.read_text())
    units = [[row[f"annotator{k}"] for k in (1, 2, 3)] for row in rows]
    imported = read_judgements(path)
    found = summarise(imported.rankings())
    assert found.items == len(rows) == 535
    # 0 is a tie: it agrees with everything, itself too, by a half.
    shares = [
        0.5 if 0 in (a, b) else float(a == b) for unit in units for a, b in combinations(unit, 2)
    ]
    assert found.figure("pair_agreement").value == pytest.approx(sum(shares) / len(shares))
    # The values of a pair are named after the order of the two ids, not of the file.
    named = {question.id: sorted(question.completion_ids) for question in imported.questions}
    signs = {each: [] for each in named}
    for each in imported.judgements:
        one, two = (each.marks[name] for name in named[each.question_id])
        signs[each.question_id].append((one > two) - (one < two))
    assert sum(unit.count(0) for unit in signs.values()) == sum(unit.count(0) for unit in units)
    alpha = by_loops(signs.values(), lambda a, b: int(a != b))
    assert found.figure("alpha_pairs").value == pytest.approx(alpha, abs=CLOSE)
    # The three coincide far more than published labelers of helpfulness do.
    assert "not independent" in found.figure("pair_agreement").warning
    ties = sum(unit.count(0) for unit in units)
    assert found.figure("tie_share").value == pytest.approx(ties / (3 * len(rows)))
    split = [unit for unit in units if 1 in unit and 2 in unit]
    assert len(found.contested) >= len(split)


def test_stiennons_workers_and_policies(shared):
    path = shared / "data" / "summarize_from_feedback" / "batch18.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    imported = read_judgements(path)
    models = {each.id: each.sampler.model for each in imported.completions}
    found = summarise(imported.rankings(), models=models)
    assert {report.id for report in found.labelers} == {row["worker"] for row in rows}
    items = {}
    for row in rows:
        texts = [each["text"] for each in row["summaries"]]
        items.setdefault((row["info"]["id"], *sorted(texts)), []).append(texts[row["choice"]])
    # Each vote against the others on its item, as the reports and the paper count it.
    shares = []
    for picks in items.values():
        for place, pick in enumerate(picks):
            others = picks[:place] + picks[place + 1 :]
            shares += [others.count(pick) / len(others)] if others else []
    assert found.figure("pair_agreement").value == pytest.approx(sum(shares) / len(shares))
    won, met = Counter(), Counter()
    for row in rows:
        one, two = (each["policy"] for each in row["summaries"])
        if one != two:
            met.update((one, two))
            won[(one, two)[row["choice"]]] += 1
    rates = {standing.model: standing.rate.value for standing in found.models}
    assert rates == pytest.approx({name: won[name] / met[name] for name in met})
    # People preferred the reference to every sampler with enough comparisons.
    often = [each.model for each in found.models if each.n >= 50]
    assert often[0] == "ref"


def test_convabuses_annotators_on_five_grades(shared):
    path = shared / "data" / "convabuse" / "valid.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    grades = (-3, -2, -1, 0, 1)
    answers = {}
    for row in rows:
        text = tuple(row[name] for name in ("prev_agent", "prev_user", "agent", "user"))
        for rater in range(1, 9):
            for grade in grades:
                # Who saw a text twice has two answers in a cell; the last one counts.
                if row[f"Annotator{rater}_is_abuse.{grade}"].split(", ")[-1] == "1":
                    answers.setdefault(text, {})[rater] = grade
    units = [list(unit.values()) for unit in answers.values()]
    imported = read_judgements(path)
    latest = {(each.question_id, each.rater_id): each for each in imported.judgements}
    rated = [Rated(*key, each.marks) for key, each in latest.items()]
    found = summarise(rated, scale=range(1, imported.scale + 1))
    assert (found.raters, found.answers) == (8, sum(map(len, units)))
    assert found.figure("alpha_nominal").value == pytest.approx(
        by_loops(units, lambda a, b: int(a != b)), abs=CLOSE
    )
    totals = Counter(v for unit in units if len(unit) > 1 for v in unit)

    def ordinal(a, b):
        between = sum(totals[g] for g in grades if min(a, b) <= g <= max(a, b))
        return (Fraction(between) - Fraction(totals[a] + totals[b], 2)) ** 2 if a != b else 0

    assert found.figure("alpha_ordinal").value == pytest.approx(by_loops(units, ordinal), abs=CLOSE)


def test_oasst_groups_are_one_voters_rankings_without_agreement_to_speak_of(shared):
    found = summarise(read_judgements(shared / "data" / "oasst" / "en_100_tree.jsonl").rankings())
    assert found.items == found.answers == 212
    assert found.figure("pair_agreement").reason == "no item was judged by two labelers"
    assert found.figure("tie_share").value == 0.0
