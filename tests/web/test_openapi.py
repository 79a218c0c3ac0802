"""Whatever is sent to the API, it never breaks, and every answer is as its document says.

SCHEMATHESIS_EXAMPLES=1000 sends a thousand requests to every operation instead of 25.
"""

from __future__ import annotations

import os
import shutil
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
def app() -> Any:
    return create_app(cast(FeedbackStore, None), hosts=["*"])


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
    expected += "heartbeat skip statistics labelers consensus judgements pairs audit tokens health"
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
        case.validate_response(response, checks=CHECKS)

    cast(Callable[[], None], sent)()
