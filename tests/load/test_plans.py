"""A labeler's next task takes as long in a queue of 26,000 items as in one of three."""

from sqlalchemy import event

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.queue import Submission

from .crowd import make_crowd


def test_no_step_of_a_task_or_an_answer_walks_through_a_table(tmp_path):
    crowd = make_crowd(tmp_path / "s.db", items=3, labelers=1)
    store, (rater,) = FeedbackStore(crowd.url), crowd.sessions
    plans: dict[str, list[str]] = {}

    def explain(_connection, cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans[statement] = [row[3] for row in plan]

    store.queue.next(crowd.project.id, rater)
    event.listen(store._engine, "before_cursor_execute", explain)
    task = store.queue.next(crowd.project.id, rater)
    store.queue.submit(Submission(task.item_id, rater, dict.fromkeys("ABCD", 1), "k"))
    store.queue.next(crowd.project.id, rater)
    assert len(plans) > 15
    walks = [step for steps in plans.values() for step in steps if step.startswith("SCAN")]
    assert walks == []
    [held] = [
        steps for said, steps in plans.items() if said.startswith("SELECT assignment.item_id \n")
    ]
    assert "assignment_of_rater" in held[0]
