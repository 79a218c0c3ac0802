"""Whatever is sent to the API, it never breaks, and every answer is as its document says.

SCHEMATHESIS_EXAMPLES=1000 sends a thousand requests to every operation instead of 25.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.queue import Submission
from humanalign.types import Completion, Prompt, Sampler
from humanalign.web.app import create_app

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
]
ITEM = "/api/v1/projects/{project}/items/{item}"
# A body that each operation takes; {} for those without one.
ITEMS = [{"prompt": "Name a tree", "completions": [{"text": "Oak"}, {"text": "Fig", "model": "m"}]}]
TURN = {"role": "user", "content": "Name a tree"}
QUIZ = [{"text": "Which?", "options": ["This", "That"], "answer": 0, "why": "So it is."}]
TIMING = {"active": 3.5, "dwell": {"A": 1.5}, "changes": 2}
MARKS = {"A": 1, "B": 2, "C": "F"}
BODIES: dict[tuple[str, str], dict] = {
    ("post", "/api/v1/projects"): {
        "name": "New",
        "kind": "rating",
        "criterion": "brief",
        "definition": "It is short.",
        "settings": {"overlap": 2, "warning": "Rude words"},
        "instructions": {"text": "Rate.", "quiz": QUIZ},
    },
    ("put", "/api/v1/projects/{project}/settings"): {"overlap": 2, "pass_mark": 0.5},
    ("put", "/api/v1/projects/{project}/status"): {"status": "open"},
    ("put", "/api/v1/criteria/{name}"): {"definition": "It helps."},
    ("post", "/api/v1/projects/{project}/instructions"): {"text": "Rank.", "quiz": QUIZ},
    ("post", "/api/v1/projects/{project}/items"): {
        "items": [
            {**ITEMS[0], "messages": [TURN], "reference": "Oak", "source": "s", "gold": [1, 2]}
        ],
        "overlap": 2,
    },
    ("post", "/api/v1/raters"): {"name": "model-9", "kind": "model"},
    ("post", "/api/v1/tokens"): {"name": "nightly", "rater": "rule-2"},
    ("post", "/api/v1/invites"): {"role": "labeler", "note": "for Ann", "hours": 24},
    ("put", "/api/v1/projects/{project}/members/{rater}"): {"status": "paused", "reason": "fast"},
    ("post", "/api/v1/projects/{project}/members/{rater}/ask-again"): {"reason": "reversed"},
    ("post", "/api/v1/projects/{project}/consensus"): {"method": "kemeny"},
    ("post", ITEM + "/answers"): {"key": "k", "marks": MARKS, "note": "n", "timing": TIMING},
    ("put", ITEM + "/draft"): {"marks": {"A": 1}, "note": "n", "revision": 0, "timing": TIMING},
    ("post", ITEM + "/skip"): {"reason": "unclear", "note": "n"},
    ("post", ITEM + "/report"): {"reason": "broken", "note": "n"},
}
SEEN: Counter[int] = Counter()
DOCUMENT = create_app(cast(FeedbackStore, None)).openapi()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, str]]:
    """A store with something of everything: its file, tokens by role, and ids that exist."""
    folder = tmp_path_factory.mktemp("api")
    store = FeedbackStore(folder / "filled.db")
    owner = store.people.create("owner", "owner").rater_id
    project = store.projects.create("Colours", "ranking", "helpful", by=owner).id
    prompts = [Prompt(f"Name a colour, {n}") for n in range(6)]
    answers = [[Completion(p.id, t, Sampler("m")) for t in ("Red", "Blue", "7")] for p in prompts]
    asked = [
        Item(p.id, tuple(c.id for c in row), "helpful")
        for p, row in zip(prompts, answers, strict=True)
    ]
    store.queue.add(project, prompts, [c for row in answers for c in row], asked, overlap=3)
    for name in ("rule-1", "rule-2"):
        store.people.create(name, "program", kind="rule")
        store.projects.join(project, name)
        for turn in range(2):
            task = store.queue.next(project, name)
            assert task is not None
            marks = {"A": 1, "B": 2, "C": "F"}
            store.queue.submit(Submission(task.item_id, name, marks, f"{name} {turn}"))
    held = store.queue.next(project, "rule-1")
    assert held is not None
    store.agreed.make(project, by=owner)
    store.people.invites.new("labeler", by=owner, project_id=project)
    ann = store.people.create("ann", "labeler").rater_id
    store.projects.join(project, ann)
    whose = {"owner": owner, "program": "rule-1", "labeler": ann}
    tokens = {role: store.people.new_token(rater, role, owner)[1] for role, rater in whose.items()}
    spare = store.people.new_token("rule-2", "spare", owner)[0]
    invite = store.people.invites.all()[0].hash
    store.close()
    ids = {"project": project, "item": held.item_id, "rater": "rule-2", "token": spare}
    return folder / "filled.db", tokens, ids | {"hash": invite, "number": "1", "format": "rich"}


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    yield create_app(cast(FeedbackStore, None), hosts=["*"])
    # The figures of a long run: pytest -s shows them.
    print(f"\n{SEEN.total():,} generated requests to {len(OPERATIONS)} operations: {dict(SEEN)}")


@pytest.fixture(scope="module")
def schema(app: Any) -> Any:
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


@pytest.fixture
def served(app: Any, filled: tuple, tmp_path: Path) -> Iterator[None]:
    """A copy of the filled store behind the app: what one operation does, no other sees."""
    shutil.copy(filled[0], tmp_path / "copy.db")
    app.state.store = FeedbackStore(tmp_path / "copy.db")
    app.state.reckoner = None
    yield
    app.state.store.close()


def test_the_document_names_every_part_of_the_api():
    parts = {path.split("/")[-1] for path, _ in OPERATIONS}
    expected = "me projects criteria instructions items raters invites members next answers draft "
    expected += (
        "heartbeat skip report statistics labelers consensus judgements pairs audit tokens health"
    )
    assert set(expected.split()) - parts == set()


def test_every_operation_says_what_it_does_and_how_it_refuses():
    silent = []
    for path, method in OPERATIONS:
        said = DOCUMENT["paths"][path][method]
        needs = {"200", "201"} if path.endswith("/health") else {"401", "422"}
        if not (said.get("summary") and said.get("tags") and needs & set(said["responses"])):
            silent.append((method, path))
    assert silent == []


def test_every_body_takes_nothing_that_it_does_not_name():
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    models = [DOCUMENT["components"]["schemas"][ref.rpartition("/")[2]] for ref in bodies]
    assert [m["title"] for m in models if m.get("additionalProperties") is not False] == []


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.usefixtures("served")
def test_every_operation_answers_as_its_document_says(
    schema: Any, filled: tuple, path: str, method: str
):
    case = case_of(schema, filled, path, method, BODIES.get((method, path)))
    response = case.call(headers=bearer(filled, path))
    assert response.status_code in (200, 201), response.text
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize(("method", "path"), list(BODIES))
@pytest.mark.usefixtures("served")
def test_a_text_or_number_that_no_database_holds_is_refused(
    schema: Any, filled: tuple, path: str, method: str
):
    headers = bearer(filled, path) | {"Content-Type": "application/json"}

    def answered(body: Any) -> int:
        case = case_of(schema, filled, path, method, None)
        return case.call(headers=headers, data=json.dumps(body).encode()).status_code

    bad = {place: answered(body) for place, body in poisoned(BODIES[method, path])}
    assert {place: status for place, status in bad.items() if status != 422} == {}
    assert answered(BODIES[method, path]) in (200, 201)


def poisoned(body: Any) -> Iterator[tuple[str, Any]]:
    """The body with one leaf at a time made what databases and JSON have no place for."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from ((f"{name}.{at}", {**body, name: bad}) for at, bad in poisoned(value))
    elif isinstance(body, list):
        for number, value in enumerate(body):
            for at, bad in poisoned(value):
                yield f"{number}.{at}", [*body[:number], bad, *body[number + 1 :]]
    elif isinstance(body, str):
        yield from (
            ("zero", f"{body}\0"),
            ("half", f"{body}\ud800"),
            ("long", body + "x" * 300_000),
        )
    else:
        yield from (("huge", 10**30), ("nan", float("nan")), ("low", -(10**30)))


def case_of(schema: Any, filled: tuple, path: str, method: str, body: dict | None) -> Any:
    """A request to the operation, about what the filled store holds."""
    names = re.findall(r"{(\w+)}", path)
    here = {name: filled[2].get(name, "helpful") for name in names}
    operation = schema[path][method.upper()]
    if body is None:
        return operation.Case(path_parameters=here)
    return operation.Case(path_parameters=here, body=body, media_type="application/json")


def bearer(filled: tuple, path: str) -> dict[str, str]:
    whose = "program" if path.startswith(ITEM + "/") or path.endswith("/next") else "owner"
    return {"Authorization": f"Bearer {filled[1][whose]}"}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.usefixtures("served")
def test_nothing_that_is_sent_breaks_the_server(schema: Any, filled: tuple, path: str, method: str):
    operation = schema[path][method.upper()]
    _, tokens, ids = filled
    right = tokens["program" if operation.tags == ["work"] else "owner"]
    wrong = round(EXAMPLES * 0.4) if takes_something(path, method) else 0
    everyone = [right, *tokens.values()]
    attack(operation, GenerationMode.POSITIVE, EXAMPLES - wrong, everyone, ids)
    if wrong:
        attack(operation, GenerationMode.NEGATIVE, wrong, everyone, ids)


def takes_something(path: str, method: str) -> bool:
    """Whether there is a parameter or a body to get wrong."""
    said = DOCUMENT["paths"][path][method]
    return bool(said.get("parameters") or said.get("requestBody"))


def attack(operation: Any, mode: Any, examples: int, tokens: list[str], ids: dict) -> None:
    """Send generated requests, four in five of them to ids that exist and with the right token."""
    whose = st.sampled_from([tokens[0]] * 6 + tokens[1:] + ["ha_unknown"])

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=EXAMPLES <= 25,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), token=whose, known=st.integers(0, 4))
    def sent(case: Any, token: str, known: int) -> None:
        if known and isinstance(case.path_parameters, dict):
            here = {name: value for name, value in ids.items() if name in case.path_parameters}
            case.path_parameters.update(here)
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        SEEN[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    cast(Callable[[], None], sent)()
