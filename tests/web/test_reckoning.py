"""The owner's figures: computed once for what they rest on, and again when any of it changes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from desk import home, work
from workplace import Site

from humanalign.web.owner import reckoning


def test_figures_are_computed_once_for_the_same_answers(fresh, monkeypatch):
    work(fresh, fresh.labeler)
    calls = []
    whole = reckoning.summarise
    monkeypatch.setattr(reckoning, "summarise", lambda *a, **k: calls.append(1) or whole(*a, **k))
    reckoner = reckoning.Reckoner(fresh.store)
    first, second = reckoner.look(fresh.project), reckoner.look(fresh.project)
    assert first.reckoned is second.reckoned
    assert len(calls) == 1
    assert first.reckoned.last == fresh.store.figures.counts(fresh.project.id).last


def test_a_big_project_shows_the_former_figures_while_new_ones_are_computed(fresh, monkeypatch):
    monkeypatch.setattr(reckoning, "SMALL", 0)
    monkeypatch.setattr(reckoning, "REST", 0.0)
    reckoner = reckoning.Reckoner(fresh.store)
    work(fresh, fresh.labeler)
    begun = reckoner.look(fresh.project)
    assert (begun.reckoned, begun.busy, begun.last) == (None, True, 1)
    first = finished(reckoner, fresh)
    work(fresh, fresh.hired("Ben"))
    stale = reckoner.look(fresh.project)
    assert (stale.reckoned, stale.busy, stale.last) == (first, True, 2)
    assert finished(reckoner, fresh).last == 2


def test_figures_that_fail_are_admitted_and_the_page_stays(fresh, boss, monkeypatch):
    work(fresh, fresh.labeler)
    calls = []
    monkeypatch.setattr(reckoning, "summarise", lambda *_, **__: calls.append(1) or 1 / 0)
    for _ in range(2):
        page = boss.get(home(fresh))
        assert page.status_code == 200
        assert "could not be computed" in page.text
    assert len(calls) == 1


def finished(reckoner: reckoning.Reckoner, site: Site) -> reckoning.Reckoned:
    for _ in range(200):
        seen = reckoner.look(site.project)
        if not seen.busy and seen.reckoned and seen.reckoned.last == seen.last:
            return seen.reckoned
        time.sleep(0.02)
    raise AssertionError("the figures were never finished")


def gild(site: Site) -> None:
    marks = {
        each.id: 1 for each in site.store.items.item(site.project.id, site.items[0]).completions
    }
    site.store.queue.set_gold(site.items[0], marks, "olga")


def ask_more(site: Site) -> None:
    chosen = replace(site.project.settings, contested_overlap=9)
    site.store.projects.configure(site.project.id, chosen, "olga")


def pause(site: Site) -> None:
    person = (site.project.id, site.labeler.rater_id)
    site.store.projects.set_standing(*person, "paused", "too fast", "olga")


@pytest.mark.parametrize("change", [gild, ask_more, pause])
def test_what_figures_rest_on_is_more_than_answers(fresh, change):
    work(fresh, fresh.labeler)
    reckoner = reckoning.Reckoner(fresh.store)
    first = reckoner.look(fresh.project).reckoned
    change(fresh)
    second = reckoner.look(fresh.project).reckoned
    assert second is not first
    assert reckoner.look(fresh.project).reckoned is second
