"""What statistics are computed from is one state of the store."""

import pytest
from sqlalchemy import event

from humanalign.prefer.store import FeedbackStore
from prefer.work import place, send

pytestmark = pytest.mark.usefixtures("either_database")


def test_gold_that_is_set_while_the_answers_are_read_belongs_to_a_later_state(tmp_path):
    at = place(tmp_path)
    send(at, "ann")
    other = FeedbackStore(at.store.url)
    cards = [each.id for each in at.store.items.item(at.project, at.ids[0]).completions]
    done = []

    def meanwhile(_connection, _cursor, statement, *_rest):
        if "completion.model" in statement and not done:
            done.append(statement)
            other.queue.set_gold(at.ids[0], dict(zip(cards, (1, 2, 3), strict=True)), "L-OLGA")

    event.listen(at.store._engine, "before_cursor_execute", meanwhile)
    assert dict(at.store.figures.material(at.project).gold) == {}
    event.remove(at.store._engine, "before_cursor_execute", meanwhile)
    assert len(done) == 1
    assert list(at.store.figures.material(at.project).gold) == at.ids
