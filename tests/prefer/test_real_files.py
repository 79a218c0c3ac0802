"""Real public files of judgements: what the importer says, against counts made by hand here."""

import csv
import gzip
import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from humanalign.prefer.files.exports import export_file
from humanalign.prefer.files.judgements import records_of
from humanalign.prefer.files.reading import read_judgements


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def words_of(found):
    return {each.id: each.text for each in found.completions}


def test_pandalm_has_three_annotators_on_each_pair(shared):
    path = shared / "data/pandalm/testset.shared.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = read_judgements(path)
    assert (found.layout, len(found.questions)) == ("annotators", len(rows) == 535 and 535)
    assert {each.id for each in found.raters} == {"annotator1", "annotator2", "annotator3"}
    # 0 is a tie, 1 and 2 name the better response.
    expected = [
        (rater, row["response1"], row["response2"], row[rater])
        for row in rows
        for rater in ("annotator1", "annotator2", "annotator3")
    ]
    words = words_of(found)
    said = []
    for each in found.judgements:
        (first, a), (second, b) = each.marks.items()
        said.append((each.rater_id, words[first], words[second], 0 if a == b else 1 + (a > b)))
    assert said == expected
    assert found.prompts[0].text == rows[0]["instruction"] + "\n\n" + rows[0]["input"]
    models = Counter(each.sampler.model for each in found.completions)
    assert set(models) == {name for row in rows for name in row["cmp_key"].split("_")}


def test_oasst_has_212_groups_of_ranked_replies(shared):
    path = shared / "data/oasst/en_100_tree.jsonl"
    groups, lone = [], 0

    def walk(message):
        nonlocal lone
        ranked = [each for each in message["replies"] if each.get("rank") is not None]
        if len(ranked) > 1:
            lone += len(message["replies"]) - len(ranked)
            groups.append([each["text"] for each in sorted(ranked, key=lambda each: each["rank"])])
        for each in message["replies"]:
            walk(each)

    for line in path.read_text(encoding="utf-8").splitlines():
        walk(json.loads(line)["prompt"])
    found = read_judgements(path)
    words = words_of(found)
    ranked = [[words[c].removeprefix(" ") for t in r.tiers for c in t] for r in found.rankings()]
    assert len(groups) == 212
    assert sorted(ranked) == sorted([text.removeprefix(" ") for text in group] for group in groups)
    assert all(len(tier) == 1 for r in found.rankings() for tier in r.tiers)
    # A reply further down is judged with all that was said before it.
    deep = [each.text for each in found.prompts if each.text.startswith("\n\nHuman:")]
    assert {each.count("\n\nAssistant:") for each in deep} >= {2}
    assert all(each.endswith("\n\nAssistant:") for each in deep)
    assert found.left_out == (f"Left out: replies without a rank beside ranked ones ({lone}).",)


def test_summaries_are_chosen_by_workers(shared):
    path = shared / "data/summarize_from_feedback/batch18.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = read_judgements(path)
    assert (len(found.judgements), len(rows)) == (674, 674)
    words = words_of(found)
    prompts = {each.id: each.text for each in found.prompts}
    asked = {each.id: prompts[each.prompt_id] for each in found.questions}
    for row, each in zip(rows, found.judgements, strict=True):
        texts = [summary["text"] for summary in row["summaries"]]
        [best] = [words[c] for c, mark in each.marks.items() if mark == 1]
        assert (each.rater_id, best) == (row["worker"], texts[row["choice"]])
        assert row["info"]["post"] in asked[each.question_id]
        assert each.note == f"confidence {row['extra']['confidence']}"
    # Each worker once a pair, so nothing is taken for a revision of something else.
    assert {each.revision for each in found.judgements} == {1}


def test_convabuse_codes_are_ratings_of_five(shared):
    path = shared / "data/convabuse/valid.csv"
    expected, texts = Counter(), set()
    for row in table(path):
        texts.add(tuple(row[name] for name in ("prev_agent", "prev_user", "agent", "user")))
        for name, cell in row.items():
            if "_is_abuse." in name:
                rater, code = name.split("_is_abuse.")
                expected[rater, int(code) + 4] += cell.count("1")
    found = read_judgements(path)
    given = Counter((each.rater_id, *each.marks.values()) for each in found.judgements)
    assert given == +expected
    assert found.scale == 5
    assert {each.criterion for each in found.questions} == {"toxicity"}
    assert len(found.questions) == len(texts)


@pytest.fixture(scope="module")
def davidson(shared):
    path = shared / "data/davidson/labeled_data.csv"
    started = time.perf_counter()
    found = read_judgements(path, name="davidson")
    return path, found, time.perf_counter() - started


def test_davidson_votes_are_ratings_by_nobody_in_particular(davidson):
    path, found, _ = davidson
    rows = table(path)
    assert len(rows) == len(found.questions) == len(found.completions) == 24_783
    votes = Counter()
    for row in rows:
        for rating, name in enumerate(("hate_speech", "offensive_language", "neither"), start=1):
            if row[name] != "0":
                votes[row["tweet"], rating] += int(row[name])
    words = words_of(found)
    given = Counter((words[c], mark) for each in found.judgements for c, mark in each.marks.items())
    assert given == votes
    most = max(int(row["count"]) for row in rows)
    assert [each.id for each in found.raters] == [f"vote-{n}" for n in range(1, most + 1)]
    first = [each.rater_id for each in found.judgements[: int(rows[0]["count"])]]
    assert first == [f"vote-{n}" for n in range(1, int(rows[0]["count"]) + 1)]


def test_davidson_is_parsed_in_seconds(davidson):
    # 1.4 s on one core of the machine it was written on.
    assert davidson[2] < 6


def test_davidson_comes_back_from_the_rich_file(davidson, tmp_path):
    found = replace(davidson[1], questions=davidson[1].questions[:2000])
    ids = {each.id for each in found.questions}
    again = read_judgements(export_file("rich", records_of(found), tmp_path / "d.jsonl"))
    assert again.questions == found.questions
    given = [each for each in found.judgements if each.question_id in ids]
    assert again.judgements == tuple(given)
    assert [each.marks for each in again.judgements] == [each.marks for each in given]


def test_hh_transcripts_are_pairs_with_their_prompts(shared):
    path = shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = read_judgements(path)
    words, prompts = words_of(found), {each.id: each.text for each in found.prompts}
    asked = {each.id: prompts[each.prompt_id] for each in found.questions}
    said = [
        tuple(asked[each.question_id] + words[c] for c in sorted(each.marks, key=each.marks.get))
        for each in found.judgements
    ]
    assert said == [(row["chosen"], row["rejected"]) for row in rows]
    assert len(said) == 1123


def test_llmbar_labels_name_the_better_output(shared):
    path = shared / "data/llmbar/Natural.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = read_judgements(path)
    words = words_of(found)
    best = [words[c] for each in found.judgements for c, mark in each.marks.items() if mark == 1]
    assert best == [row[f"output_{row['label']}"] for row in rows]
    assert len(best) == 100


def test_single_turns_name_the_better_answer_by_its_column(shared):
    path = shared / "data/hh_rlhf/single_turn.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = read_judgements(path)
    words = words_of(found)
    best = [words[c] for each in found.judgements for c, mark in each.marks.items() if mark == 1]
    assert ["Assistant: " + text for text in best] == [row[row["Preference"]] for row in rows]
    assert len(best) == 97


@pytest.mark.parametrize(("name", "matches"), [("simple", 16), ("food", 30)])
def test_matches_are_pairs_with_a_winner_or_a_tie(shared, name, matches):
    path = shared / f"data/evalica/{name}.csv"
    found = read_judgements(path)
    words = words_of(found)
    said = []
    for each in found.judgements:
        marks = {words[c]: mark for c, mark in each.marks.items()}
        said.append((frozenset(marks), frozenset(w for w, mark in marks.items() if mark == 1)))
    rows = table(path)
    assert said == [
        (
            frozenset((row["left"], row["right"])),
            frozenset(
                (row["left"], row["right"]) if row["winner"] == "tie" else (row[row["winner"]],)
            ),
        )
        for row in rows
    ]
    assert len(said) == matches
