"""A project with work in it, raters who answer it, and the rows that they leave."""

from types import SimpleNamespace

from sqlalchemy import select

from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.queue import Submission
from humanalign.types import Completion, Prompt, Rater, Sampler
from prefer.stores import opened

STRICT = {"A": 1, "B": 2, "C": 3}
PEOPLE = ("ann", "bob", "cid", "dan")


def place(folder, items=1, overlap=3, kind="ranking", settings=None, cards=3):
    """A project with a few items, four raters, and a clock that stands still."""
    store, clock = opened(folder)
    project = store.projects.create("P", kind, "helpful", settings=settings)
    asked = [Prompt(f"prompt {n}") for n in range(items)]
    made = [[Completion(p.id, f"{p.text} {k}", Sampler("m")) for k in range(cards)] for p in asked]
    questions = [
        Item(p.id, tuple(each.id for each in row), "helpful", kind)
        for p, row in zip(asked, made, strict=True)
    ]
    flat = [each for row in made for each in row]
    ids = store.queue.add(project.id, asked, flat, questions, overlap=overlap)
    for name in PEOPLE:
        store.add_rater(Rater(name))
    return SimpleNamespace(store=store, clock=clock, project=project.id, ids=ids, queue=store.queue)


def send(at, who, item=None, marks=None, key=None, revision=0, **more):
    """Answer the item, by default the next one."""
    item = item or at.queue.next(at.project, who).item_id
    key = key or f"{who} {item} {revision}"
    return at.queue.submit(Submission(item, who, marks or STRICT, key, revision, **more))


def rows(at, table, *conditions):
    with at.store._engine.connect() as connection:
        return connection.execute(select(table).where(*conditions)).mappings().all()
