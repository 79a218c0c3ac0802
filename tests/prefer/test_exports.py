"""What was ranked is what every export says: all weak orders with F, written and read back."""

import csv
import io
import json
from itertools import combinations, product

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanalign.errors import DataError
from humanalign.prefer.files.exports import EXPORTS, export_chunks, export_file, media_type
from humanalign.prefer.files.formats import read_pairs
from humanalign.prefer.files.judgements import (
    Judgement,
    Question,
    Record,
    consensus_records,
    records_of,
)
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.statistics.consensus import consensus
from humanalign.rows import read_rows
from humanalign.types import Completion, Prompt, Ranking, Rater, Sampler
from prefer.ballots import weak_orders

# Every layout and container that holds a whole ranking.
WHOLE = [
    (name, container)
    for name in ("rich", "groups", "argilla", "label-studio")
    for container in EXPORTS[name].containers
]
PAIRS = ("rich-pairs", "preference", "preference-implicit", "conversation")
PAIRS += ("conversation-implicit", "hh")


def balloted(cards):
    """Every (tiers, F) of the cards 0..cards-1."""
    for failed in product([False, True], repeat=cards):
        kept = [card for card in range(cards) if not failed[card]]
        bad = {card for card in range(cards) if failed[card]}
        for order in weak_orders(len(kept)) if kept else [()]:
            yield tuple(frozenset(kept[place] for place in tier) for tier in order), bad


def answered(ballots, rater="ann", kind="ranking"):
    """A record for each (cards, tiers, F): its prompt and answers say their numbers."""
    for number, (cards, tiers, failed) in enumerate(ballots):
        prompt = Prompt(f"prompt {number}, =1+1\nsecond line")
        answers = [
            Completion(prompt.id, f"answer {k} to {number}", Sampler(f"m{k % 2}"))
            for k in range(cards)
        ]
        # Competition ranks by their meaning: one more than the number of better answers.
        marks = {answers[k].id: "F" for k in failed}
        for place, tier in enumerate(tiers):
            better = sum(len(other) for other in tiers[:place])
            marks |= {answers[k].id: better + 1 for k in tier}
        question = Question(kind, prompt.id, tuple(each.id for each in answers))
        judgement = Judgement(question.id, rater, {a.id: marks[a.id] for a in answers}, note="=n")
        yield Record(question, prompt, tuple(answers), judgement)


def said(found):
    """prompt's text -> (tiers, F) by the answers' texts, as the file says."""
    words = {each.id: each.text for each in found.completions}
    prompts = {each.id: each.text for each in found.prompts}
    asked = {each.id: prompts[each.prompt_id] for each in found.questions}
    return {
        asked[r.comparison_id]: (
            tuple(frozenset(words[c] for c in tier) for tier in r.tiers),
            {words[c] for c in r.rejected},
        )
        for r in found.rankings()
    }


def meant(ballots):
    """The same, from the ballots alone."""
    return {
        f"prompt {n}, =1+1\nsecond line": (
            tuple(frozenset(f"answer {k} to {n}" for k in tier) for tier in tiers),
            {f"answer {k} to {n}" for k in failed},
        )
        for n, (_, tiers, failed) in enumerate(ballots)
    }


EVERY = [(cards, *ballot) for cards in (2, 3, 4) for ballot in balloted(cards)]


def test_there_are_as_many_ballots_as_the_book_says():
    # Weak orders of n: 1, 1, 3, 13, 75; F takes any subset out.
    orders = [1, 1, 3, 13, 75]
    choose = {2: [1, 2, 1], 3: [1, 3, 3, 1], 4: [1, 4, 6, 4, 1]}
    expected = sum(choose[k][f] * orders[k - f] for k in choose for f in range(k + 1))
    assert len(EVERY) == len(set(map(repr, EVERY))) == expected == 182


@pytest.mark.parametrize(("name", "container"), WHOLE)
def test_every_ranking_with_ties_and_f_comes_back(tmp_path, name, container):
    path = export_file(name, answered(EVERY), tmp_path / f"x{container}")
    assert said(read_judgements(path)) == meant(EVERY)


@st.composite
def long_ballots(draw):
    cards = draw(st.integers(5, 9))
    levels = draw(st.lists(st.integers(-2, cards), min_size=cards, max_size=cards))
    kept = sorted({level for level in levels if level >= 0})
    tiers = tuple(frozenset(k for k in range(cards) if levels[k] == level) for level in kept)
    return cards, tiers, {k for k in range(cards) if levels[k] < 0}


@settings(max_examples=25, deadline=None)
@given(ballots=st.lists(long_ballots(), min_size=1, max_size=8))
@pytest.mark.parametrize(("name", "container"), WHOLE)
def test_rankings_of_five_to_nine_come_back(tmp_path_factory, name, container, ballots):
    path = tmp_path_factory.mktemp("x") / f"x{container}"
    export_file(name, answered(ballots), path)
    assert said(read_judgements(path)) == meant(ballots)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_those_that_the_ranks_order_and_no_other(tmp_path, name):
    expected = {
        (f"answer {a} to {n}", f"answer {b} to {n}")
        for n, (_, tiers, _) in enumerate(EVERY)
        for i, j in combinations(range(len(tiers)), 2)
        for a in tiers[i]
        for b in tiers[j]
    }
    path = export_file(name, answered(EVERY), tmp_path / "x.jsonl")
    found = read_judgements(path) if name.endswith("implicit") else None
    if found is None:
        pairs = [(p.chosen.strip(), p.rejected.strip()) for p in read_pairs(path)]
    else:
        words = {each.id: each.text for each in found.completions}
        tails = [[words[c] for tier in r.tiers for c in tier] for r in found.rankings()]
        # Where the prompt of a plain text ends is guessed: at the last shared word.
        start = "answer " if name == "preference-implicit" else ""
        pairs = [(start + better, start + worse) for better, worse in tails]
    assert len(pairs) == len(expected)
    assert set(pairs) == expected


@pytest.mark.parametrize("container", EXPORTS["rich"].containers)
def test_the_rich_file_loses_nothing(tmp_path, container):
    prompt = Prompt(
        "Hi", (("system", "Be kind."), ("user", "Hi")), "ref", "web", "test", {"a": "b"}
    )
    asked = [
        Completion(prompt.id, "yes", Sampler("m", "run 1", 0.5, 7), "length"),
        Completion(prompt.id, "=no", Sampler("n")),
    ]
    ids = tuple(each.id for each in asked)
    marks = {"ranking": {ids[0]: 1, ids[1]: "F"}, "rating": {ids[0]: 4, ids[1]: 2}}
    marks |= {"pairwise": {ids[0]: 1, ids[1]: 1}}
    records = []
    for number, kind in enumerate(marks):
        question = Question(kind, prompt.id, ids, f"criterion {number}")
        given = Judgement(question.id, "ann", marks[kind], 2.5, "v1", "a, note", 12.25, 2)
        records.append(Record(question, prompt, tuple(asked), given, "model", 0.5, scale=5))
    thumb = Question("thumb", prompt.id, ids[:1])
    given = Judgement(thumb.id, "bob", {ids[0]: "down"})
    records.append(Record(thumb, prompt, (asked[0],), given, scale=5))
    found = read_judgements(export_file("rich", records, tmp_path / f"r{container}"))
    assert found.prompts == (prompt,)
    assert dict(found.prompts[0].fields) == {"a": "b"}
    assert found.completions == tuple(asked)
    assert found.questions == tuple(each.question for each in records)
    assert found.judgements == tuple(each.judgement for each in records)
    assert [each.marks for each in found.judgements] == [each.judgement.marks for each in records]
    assert found.raters == (Rater("ann", "model"), Rater("bob"))
    assert found.scale == 5
    assert list(records_of(found, {"ann": 0.5})) == records


def test_a_changed_text_in_the_rich_file_is_told(tmp_path):
    path = export_file("rich", answered(EVERY[:1]), tmp_path / "r.jsonl")
    path.write_text(path.read_text().replace("answer 1", "answer one"))
    with pytest.raises(DataError, match=r"row 1: completion_ids: .* is not the id of these words"):
        read_judgements(path)


def test_only_the_rich_file_holds_earlier_revisions():
    [record] = answered(EVERY[3:4])
    early = Judgement(record.question.id, "ann", dict.fromkeys(record.judgement.marks, 1))
    late = Judgement(record.question.id, "ann", record.judgement.marks, revision=2)
    given = [
        Record(record.question, record.prompt, record.completions, each) for each in (late, early)
    ]
    counts = {
        name: len(b"".join(export_chunks(name, given)).splitlines()) for name in ("rich", "groups")
    }
    assert counts == {"rich": 2, "groups": 1}
    [line] = b"".join(export_chunks("groups", given)).splitlines()
    assert json.loads(line)["ranks"] == [str(mark) for mark in late.marks.values()]


def test_a_consensus_is_exported_with_its_margins_and_source():
    [first] = answered([(3, (frozenset({0}), frozenset({1}), frozenset({2})), set())])
    a, b, c = first.question.completion_ids
    votes = [
        Ranking(first.question.id, "ann", ((a,), (b,), (c,))),
        Ranking(first.question.id, "rule-1", ((a,), (c,), (b,))),
        Ranking(first.question.id, "rule-2", ((a,), (b,), (c,))),
    ]
    by_id = {each.id: each for each in first.completions}
    agreed = consensus(votes, weights={"ann": 1.0, "rule-1": 1.0, "rule-2": 1.0})
    places = ({first.question.id: first.question}, {first.prompt.id: first.prompt}, by_id)
    records = list(consensus_records(agreed, *places))
    rows = [
        json.loads(line) for line in b"".join(export_chunks("rich-pairs", records)).splitlines()
    ]
    margins = {(row["chosen_id"], row["rejected_id"]): row["margin"] for row in rows}
    assert margins == {(a, b): 1.0, (a, c): 1.0, (b, c): pytest.approx(1 / 3)}
    assert {row["rater"] for row in rows} == {"consensus"}
    assert {row["source"] for row in rows} == {"human"}
    rules = {name: Rater(name, "rule") for name in ("ann", "rule-1", "rule-2")}
    [machine] = consensus_records(agreed, *places, raters=rules)
    assert machine.source == "ai"


def test_soft_ties_and_losing_f_marks_are_pairs_when_asked_for():
    [record] = answered([(3, (frozenset({0, 1}),), {2})])
    pieces = export_chunks("preference", [record], ties="soft", rejects="lose")
    rows = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [(row["chosen"][7], row["rejected"][7], row["weight"]) for row in rows] == [
        ("0", "1", 0.5),
        ("1", "0", 0.5),
        ("0", "2", 1.0),
        ("1", "2", 1.0),
    ]


def test_two_answers_of_the_same_words_make_no_pair():
    prompt = Prompt("p")
    answers = [Completion(prompt.id, "same", Sampler(model)) for model in "mn"]
    question = Question("pairwise", prompt.id, tuple(each.id for each in answers))
    given = Judgement(question.id, "ann", dict(zip(question.completion_ids, (1, 2), strict=True)))
    record = Record(question, prompt, tuple(answers), given)
    assert b"".join(export_chunks("preference", [record])) == b""


def test_argilla_ranks_every_option_and_f_last():
    [record] = answered([(3, (frozenset({1}),), {0, 2})])
    row = json.loads(b"".join(export_chunks("argilla", [record])))
    [response] = row["responses"]
    ranks = {each["value"]: each["rank"] for each in response["values"]["ranking"]["value"]}
    assert ranks == {"response-1": 2, "response-2": 1, "response-3": 2}
    assert response["values"]["unusable"] == {"value": ["response-1", "response-3"]}


def test_label_studio_keeps_f_in_a_bucket_of_its_own():
    [record] = answered([(3, (frozenset({1}),), {0, 2})])
    row = json.loads(b"".join(export_chunks("label-studio", [record])))
    result, _note = row["annotations"][0]["result"]
    a, b, c = record.question.completion_ids
    assert result["value"]["ranker"] == {"F": [a, c], "1": [b]}


def rated(kind, marks, scale=3):
    prompt = Prompt("p")
    answers = [Completion(prompt.id, f"a{k}", Sampler("m")) for k in range(len(marks))]
    ids = tuple(each.id for each in answers)
    question = Question(kind, prompt.id, ids)
    given = Judgement(question.id, "ann", dict(zip(ids, marks, strict=True)))
    return Record(question, prompt, tuple(answers), given, scale=scale)


@pytest.mark.parametrize("name", ["rich", "argilla", "label-studio"])
@pytest.mark.parametrize(
    ("kind", "marks"),
    [("thumb", ["up"]), ("thumb", ["down"]), ("rating", [2]), ("rating", [1, 3, 1])],
)
def test_thumbs_and_ratings_come_back(tmp_path, name, kind, marks):
    found = read_judgements(export_file(name, [rated(kind, marks)], tmp_path / "x.jsonl"))
    [question], [judgement] = found.questions, found.judgements
    words = {each.id: each.text for each in found.completions}
    assert question.kind == kind
    assert {words[c]: mark for c, mark in judgement.marks.items()} == {
        f"a{k}": mark for k, mark in enumerate(marks)
    }
    assert judgement.rater_id == "ann"


def test_labels_of_unpaired_rows_are_thumbs_and_ratings_off_the_middle():
    records = [rated("thumb", ["down"]), rated("rating", [1, 2, 3])]
    rows = [json.loads(line) for line in b"".join(export_chunks("unpaired", records)).splitlines()]
    assert [(row["completion"], row["label"]) for row in rows] == [
        ("a0", False),
        ("a0", False),
        ("a2", True),
    ]


def test_ratings_of_several_completions_are_pairs_the_higher_rating_chosen():
    rows = b"".join(export_chunks("preference", [rated("rating", [1, 3, 1])])).splitlines()
    pairs = [(json.loads(row)["chosen"], json.loads(row)["rejected"]) for row in rows]
    assert pairs == [("a1", "a0"), ("a1", "a2")]


def test_answers_of_another_kind_are_passed_over():
    records = [rated("rating", [1]), *answered(EVERY[:1])]
    assert len(b"".join(export_chunks("groups", records)).splitlines()) == 1
    assert len(b"".join(export_chunks("ratings", records)).splitlines()) == 1


def test_a_csv_holds_texts_as_they_are_unless_cells_are_to_be_safe():
    record = rated("thumb", ["up"])
    hostile = Completion(record.prompt.id, "=HYPERLINK(1)", Sampler("m"))
    question = Question("thumb", record.prompt.id, (hostile.id,))
    given = Judgement(question.id, "@ann", {hostile.id: "up"})
    records = [Record(question, record.prompt, (hostile,), given)]
    cells = {}
    for safe in (False, True):
        text = b"".join(export_chunks("unpaired", records, ".csv", safe_cells=safe)).decode()
        [row] = csv.DictReader(io.StringIO(text, newline=""))
        cells[safe] = (row["completion"], row["rater"], row["weight"])
    assert cells == {
        False: ("=HYPERLINK(1)", "@ann", "1.0"),
        True: ("'=HYPERLINK(1)", "'@ann", "1.0"),
    }


def test_chunks_are_the_file_and_packed_files_have_the_same_bytes_every_time(tmp_path):
    records = list(answered(EVERY))
    for container in (".jsonl", ".csv", ".jsonl.gz"):
        chunks = b"".join(export_chunks("rich", records, container))
        assert export_file("rich", records, tmp_path / f"x{container}").read_bytes() == chunks
    assert read_rows(tmp_path / "x.jsonl.gz") == read_rows(tmp_path / "x.jsonl")


def test_a_parquet_file_of_many_row_groups_is_whole(tmp_path):
    ballots = EVERY * 25
    path = export_file("groups", answered(ballots), tmp_path / "x.parquet")
    table = pq.ParquetFile(path)
    assert table.metadata.num_row_groups > 2
    assert said(read_judgements(path)) == meant(ballots)


def test_an_export_without_rows_is_an_empty_table():
    assert b"".join(export_chunks("argilla", [], ".json")) == b"[]\n"
    assert b"".join(export_chunks("hh", [], ".csv")) == b"chosen,rejected\r\n"


@pytest.mark.parametrize(
    ("name", "container", "options", "message"),
    [
        (
            "groop",
            ".jsonl",
            {},
            "export: expected one of rich, .* got 'groop'; did you mean 'groups'",
        ),
        ("conversation", ".csv", {}, "export conversation: cannot be a '.csv' file"),
        ("rich", ".doc", {}, "export rich: cannot be a '.doc' file; use .jsonl .csv .parquet"),
        ("hh", ".jsonl", {"ties": "sof"}, "ties: expected drop or soft, got 'sof'; did you mean"),
        ("hh", ".jsonl", {"rejects": "win"}, "rejects: expected drop or lose, got 'win'"),
    ],
)
def test_a_wrong_export_is_told_before_the_first_piece(name, container, options, message):
    with pytest.raises(DataError, match=message):
        export_chunks(name, [], container, **options)


def test_every_export_says_what_it_is_and_every_container_its_media_type():
    for name, export in EXPORTS.items():
        assert export.name == name
        assert export.about.endswith(".")
        assert all("/" in media_type(each) for each in (*export.containers, ".csv.gz"))
