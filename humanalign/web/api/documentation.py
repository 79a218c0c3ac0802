"""The two operations that need no token: is the server there, and what can it do, as a page.

The page is made from the OpenAPI document by our own template: no foreign scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

import humanalign
from humanalign.web.api.frame import ApiRoute, Said
from humanalign.web.api.wire import Told
from humanalign.web.render import page

METHODS = ("get", "post", "put", "delete")
router = APIRouter(route_class=ApiRoute, tags=["server"])


class Health(Told):
    """That the server answers, and which version it is."""

    ok: bool
    version: str = Field(examples=["0.1.0"])


@dataclass(frozen=True)
class Row:
    """A parameter, a field or an answer: its name, what it takes, what it means."""

    name: str
    takes: str
    about: str
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Row, ...]
    body: str
    answers: tuple[Row, ...]


@dataclass(frozen=True)
class Model:
    """One kind of object that is sent or told."""

    name: str
    about: str
    fields: tuple[Row, ...]


@router.get(
    "/health",
    summary="Is the server there",
    responses={200: {"model": Health, "description": "It is."}},
)
async def health() -> Said:
    """That the server answers, and which version it is; needs no token."""
    return Said({"ok": True, "version": humanalign.__version__})


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Every operation and every object, in words."""
    found = request.app.openapi()
    return page(request, "api/docs.html", chapters=chapters(found), models=models(found))


def chapters(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations by tag, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                said = methods[method]
                found.setdefault(said["tags"][0], []).append(_operation(path, method, said))
    return found


def models(document: Mapping[str, Any]) -> list[Model]:
    """The objects that are sent and told, by name; those that FastAPI adds are left out."""
    return [
        Model(name, said.get("description", ""), _fields(said))
        for name, said in sorted(document["components"]["schemas"].items())
        if said.get("type") == "object" and not name.startswith(("HTTPValid", "ValidationE"))
    ]


def takes(schema: Mapping[str, Any]) -> str:
    """What a schema lets through, in words: "text", "list of Card", "whole number or null"."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(takes(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(str(each) for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {takes(schema.get('items', {}))}"
    if kind == "object" and isinstance(inner := schema.get("additionalProperties"), Mapping):
        return f"object of {takes(inner)}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return words.get(kind, kind) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    if schema.get("pattern") == "^[0-9a-f]{16}$":
        return " (16 hex digits)"
    if "maxLength" in schema:
        return f" (up to {schema['maxLength']:,} characters)"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 10_000:
        return f" ({low:g} to {high:g})"
    return ""


def _operation(path: str, method: str, said: Mapping[str, Any]) -> Operation:
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        id=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said["summary"],
        about=said.get("description", ""),
        parameters=tuple(
            Row(
                each["name"],
                takes(each["schema"]),
                each.get("description", ""),
                each.get("required", False),
            )
            for each in said.get("parameters", ())
        ),
        body=takes(body["schema"]) if body else "",
        answers=tuple(_answer(code, each) for code, each in said["responses"].items()),
    )


def _answer(code: str, said: Mapping[str, Any]) -> Row:
    content = said.get("content", {}).get("application/json", {})
    schema = content.get("schema") or {}
    return Row(code, takes(schema) if schema else "", said["description"])


def _fields(said: Mapping[str, Any]) -> tuple[Row, ...]:
    required = said.get("required", ())
    return tuple(
        Row(name, takes(each), each.get("description", ""), name in required)
        for name, each in said.get("properties", {}).items()
    )
