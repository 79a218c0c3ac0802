"""The client and the server over a real socket: lost answers, mistakes, and the simulated pool."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from workplace import Site, make_site

from humanalign.errors import ConfigError, DataError, StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.tiny.labelers import pool
from humanalign.types import Comparison, Completion, Prompt, Ranking, Rater, Sampler
from humanalign.verbs.simulating import simulate
from humanalign.web import client as clients
from humanalign.web.client import Client, Stale
from humanalign.web.local import serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("client"), texts=[("Red.", "Green.", "Blue.")] * 12)
    made.store.people.create("rule-1", "program", kind="rule")
    made.store.projects.join(made.project.id, "rule-1")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.store) as address:
        yield address


def client_of(site: Site, url: str, rater_id: str) -> Client:
    return Client(url, site.store.people.new_token(rater_id, "test", rater_id)[1])


@pytest.fixture(scope="module")
def owner(site: Site, url: str) -> Iterator[Client]:
    with client_of(site, url, site.store.people.create("owner", "owner").rater_id) as made:
        yield made


@pytest.fixture(scope="module")
def program(site: Site, url: str) -> Iterator[Client]:
    with client_of(site, url, "rule-1") as made:
        yield made


def by_letter(task: clients.Task, *words: str) -> dict[str, clients.Mark]:
    return {card.letter: words.index(card.text) + 1 for card in task.cards}


def test_a_task_is_answered_over_the_wire(site: Site, program: Client):
    task = program.next(site.project.id)
    assert task is not None
    said = program.answer(task, by_letter(task, "Blue.", "Red.", "Green."), note="sure")
    again = program.task(site.project.id, task.item)
    assert again is not None
    assert again.marks == by_letter(task, "Blue.", "Red.", "Green.")
    assert (said.revision, again.note) == (1, "sure")


def test_the_next_task_can_come_with_the_receipt(site: Site, program: Client):
    task = program.next(site.project.id)
    assert task is not None
    said = program.answer(task, by_letter(task, "Red.", "Green.", "Blue."), onward=True)
    assert said.next is not None
    assert said.next == program.next(site.project.id)


def test_a_lost_answer_is_sent_again_and_stored_once(
    site: Site, program: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clients, "WAITS", (0.0, 0.0))
    task = program.next(site.project.id)
    assert task is not None
    request, lost = httpx2.Client.request, []

    def loses_two(self, method, path, **rest):
        response = request(self, method, path, **rest)
        if len(lost) < 2:
            lost.append(response.status_code)
            raise httpx2.ReadError("the connection broke")
        return response

    monkeypatch.setattr(httpx2.Client, "request", loses_two)
    before = len(site.store.rankings())
    said = program.answer(task, by_letter(task, "Red.", "Green.", "Blue."))
    assert (lost, said.revision, said.replayed) == ([200, 200], 1, True)
    assert len(site.store.rankings()) == before + 1


def test_a_server_that_is_busy_is_asked_again_after_the_time_it_says(
    program: Client, monkeypatch: pytest.MonkeyPatch
):
    slept, answers = [], [httpx2.Response(429, headers={"Retry-After": "7"}), httpx2.Response(503)]
    request = httpx2.Client.request
    monkeypatch.setattr(clients.time, "sleep", slept.append)
    monkeypatch.setattr(
        httpx2.Client,
        "request",
        lambda self, *a, **k: answers.pop(0) if answers else request(self, *a, **k),
    )
    assert [p.name for p in program.projects()] == ["Colours"]
    assert slept == [7.0, clients.WAITS[1]]


def test_a_server_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "WAITS", (0.0,))
    with Client("http://127.0.0.1:9", "ha_x") as nobody, pytest.raises(StoreError) as caught:
        nobody.projects()
    assert str(caught.value).startswith("http://127.0.0.1:9: no answer (")


def test_an_unknown_token_is_a_mistake_in_the_settings(url: str):
    with Client(url, "ha_nobody") as stranger, pytest.raises(ConfigError, match="token is unknown"):
        stranger.projects()


def test_mistakes_come_as_the_packages_errors_with_the_servers_sentence(
    site: Site, owner: Client, program: Client
):
    task = program.next(site.project.id)
    assert task is not None
    with pytest.raises(DataError, match=r"^card B has no mark"):
        program.answer(task, {"A": 1, "C": 2})
    with pytest.raises(StoreError, match="not open to you"):
        program.statistics(site.project.id)
    with pytest.raises(DataError, match=r"^items\.0\.prompt: is required$"):
        owner.add_items(site.project.id, [{"completions": [{"text": "a"}]}])


def test_an_answer_changed_elsewhere_comes_with_the_task_as_it_stands(site: Site, program: Client):
    task = program.next(site.project.id)
    assert task is not None
    program.answer(task, by_letter(task, "Red.", "Green.", "Blue."))
    with pytest.raises(Stale) as caught:
        program.answer(task, by_letter(task, "Blue.", "Green.", "Red."))
    assert caught.value.held.marks == by_letter(task, "Red.", "Green.", "Blue.")
    later = replace(task, revision=caught.value.held.revision)
    assert program.answer(later, by_letter(task, "Blue.", "Green.", "Red.")).revision == 2


def test_items_consensus_pairs_and_exports_go_through_the_client(
    site: Site, owner: Client, program: Client, tmp_path: Path
):
    item = {"prompt": "Name a fruit", "completions": [{"text": "Fig"}, {"text": "Oak"}]}
    assert len(owner.add_items(site.project.id, [item], overlap=1)) == 1
    while task := program.next(site.project.id):
        program.answer(task, {card.letter: n + 1 for n, card in enumerate(task.cards)})
    version = owner.consensus(site.project.id)
    assert owner.consensus(site.project.id)["number"] == version["number"]
    pairs = list(owner.pairs(site.project.id))
    assert {pair.prompt for pair in pairs} >= {"Name a fruit", "Prompt number 12"}
    parts = [list(owner.pairs(site.project.id, split=each)) for each in ("train", "test")]
    assert all(parts)
    assert len(parts[0]) + len(parts[1]) == len(pairs)
    file = owner.export(site.project.id, "preference", tmp_path / "pairs.jsonl", of="1")
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(pairs)
    assert owner.statistics(site.project.id)["counted"] > 0


def ask_about_dialogues(path: Path) -> FeedbackStore:
    """A store with three answers to each of fourteen prompts, three labelers each."""
    store = FeedbackStore(path)
    prompts = [Prompt(f"#Person1#: Hello, {n}.\n#Person2#: Good to see you.") for n in range(14)]
    texts = ("They greet each other.", "Person 1 is a fool.", "They greet each other, fool.")
    for number, prompt in enumerate(prompts):
        answers = [Completion(prompt.id, text, Sampler("m", seed=number)) for text in texts]
        store.add([prompt], answers)
        store.ask([Comparison(prompt.id, tuple(a.id for a in answers), "harmless")], overlap=3)
    return store


def straight_into(store: FeedbackStore, seed: int) -> None:
    """What the labelers would say if they wrote into the store themselves, turn by turn."""
    labelers, texts = {each.id: each for each in pool(seed)}, store.texts()
    for name in labelers:
        store.add_rater(Rater(name, "rule"))
    waiting = list(labelers)
    while waiting:
        for name in list(waiting):
            comparison = store.next(name)
            if comparison is None:
                waiting.remove(name)
                continue
            answers = {each: texts.answers[each] for each in comparison.completion_ids}
            said = labelers[name].rank(comparison, texts.prompts[comparison.id], answers)
            store.rank(said, key=f"{name}/{comparison.id}")


def as_said(ranking: Ranking) -> tuple:
    tiers = tuple(frozenset(tier) for tier in ranking.tiers)
    return ranking.comparison_id, ranking.rater_id, tiers, set(ranking.rejected), ranking.seconds


def test_the_simulated_labelers_say_through_the_api_what_they_would_say_directly(tmp_path: Path):
    through, direct = (ask_about_dialogues(tmp_path / name) for name in ("a.db", "b.db"))
    simulate(through, seed=3)
    straight_into(direct, seed=3)
    assert len(direct.rankings()) == 14 * 3
    assert [as_said(each) for each in through.rankings()] == [
        as_said(each) for each in direct.rankings()
    ]
    assert {each.revoked_at is not None for each in through.people.tokens()} == {True}


def test_serving_in_this_process_leaves_its_logging_alone(site: Site):
    closed = []

    class Own(logging.Handler):
        def close(self) -> None:
            closed.append(self)
            super().close()

    own = Own()
    with serving(site.store):
        assert closed == []
    own.close()


def test_simulating_again_changes_nothing(tmp_path: Path):
    store = ask_about_dialogues(tmp_path / "a.db")
    simulate(store, seed=3)
    before = store.snapshot()
    simulate(store, seed=3)
    assert store.snapshot() == before
