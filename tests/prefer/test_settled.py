"""What cannot be altered any more once answers rest on it."""

from dataclasses import replace

import pytest

from humanalign.errors import StoreError
from humanalign.prefer.store.projects import ProjectSettings
from prefer.work import place, send

pytestmark = pytest.mark.usefixtures("either_database")
FIVE = ProjectSettings(scale=5)


def rated(folder):
    return place(folder, kind="rating", settings=FIVE, cards=1)


def test_the_scale_stays_once_somebody_rated_by_it(tmp_path):
    at = rated(tmp_path)
    send(at, "ann", marks={"A": 3})
    with pytest.raises(StoreError, match="scale: project 'P' holds ratings from 1 to 5"):
        at.store.projects.configure(at.project, replace(FIVE, scale=3), "L-OLGA")
    assert at.store.projects.get(at.project).settings == FIVE


def test_the_scale_stays_once_an_item_has_a_right_rating(tmp_path):
    at = rated(tmp_path)
    [card] = at.store.items.item(at.project, at.ids[0]).completions
    at.queue.set_gold(at.ids[0], {card.id: 5}, "L-OLGA")
    with pytest.raises(StoreError, match="make another project"):
        at.store.projects.configure(at.project, replace(FIVE, scale=4), "L-OLGA")


def test_the_scale_may_change_before_and_everything_else_later_too(tmp_path):
    at = rated(tmp_path)
    at.store.projects.configure(at.project, replace(FIVE, scale=4), "L-OLGA")
    send(at, "ann", marks={"A": 4})
    at.store.projects.configure(at.project, replace(FIVE, scale=4, blur=True), "L-OLGA")
    assert at.store.projects.get(at.project).settings == ProjectSettings(scale=4, blur=True)
