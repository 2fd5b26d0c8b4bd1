"""The OpenAPI document leaves nothing unsaid: names, summaries, examples, problems everywhere."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.app import build_app
from api.open_paths import is_open
from api.problems.catalogue import CATALOGUE
from api.schemas import (
    audit_trail,
    availability,
    booking_bodies,
    booking_forms,
    calendar,
    checkpoints,
    command_bodies,
    command_forms,
    customer,
    events,
    forgetting,
    health,
    live,
    problem,
    public_availability,
    refusals,
    resource_bodies,
    resource_forms,
    usage,
    utilisation,
    webhook_endpoint_bodies,
    webhook_endpoint_forms,
)

WITHOUT_BODY = {"204", "304"}

# Any: a JSON document, looked at from all sides.
Node = dict[str, Any]

APP = build_app()
DOCUMENT: Node = APP.openapi()
SCHEMAS: Node = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    pytest.param(path, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
]
MODULES = (
    audit_trail, availability, booking_bodies, booking_forms, calendar, checkpoints, command_bodies,
    command_forms, customer, events, forgetting, health, live, problem, public_availability,
    refusals, resource_bodies, resource_forms, usage, utilisation, webhook_endpoint_bodies,
    webhook_endpoint_forms,
)  # fmt: skip
MODELS = sorted(
    {
        model
        for module in MODULES
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.model_fields
        if model.__name__ in SCHEMAS
    },
    key=lambda model: model.__name__,
)


def has_example(node: Node) -> bool:
    return "example" in node or bool(node.get("examples"))


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_it_is_openapi_3_1_with_a_security_scheme() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["description"]
    assert DOCUMENT["security"] == [{"ApiKey": []}]
    assert DOCUMENT["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


def test_every_route_is_in_it() -> None:
    routes = {
        (route.path, method.lower())
        for route in APP.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    declared = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert declared == routes


def test_operation_ids_are_unique() -> None:
    ids = [
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_schema_is_used() -> None:
    used = {reference.rpartition("/")[2] for reference in references(DOCUMENT)}
    assert set(SCHEMAS) == used


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_an_operation_says_what_it_does(path: str, operation: Node) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    takes_no_key = operation.get("security") == []
    assert takes_no_key == (is_open(path) or "{key}" in path)
    assert is_open(path) == ("x-permission" not in operation)


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_parameter_has_description_and_example(path: str, operation: Node) -> None:
    parameters = operation["parameters"]
    names = [(parameter["in"], parameter["name"]) for parameter in parameters]
    assert len(set(names)) == len(names)
    for parameter in parameters:
        assert parameter["description"], parameter
        assert parameter["schema"], parameter
        assert "example" in parameter, parameter
    in_path = {name for where, name in names if where == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_body_has_schema_and_example(path: str, operation: Node) -> None:
    _ = path
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for status, answer in operation["responses"].items():
        if status in WITHOUT_BODY:
            assert "content" not in answer
        else:
            bodies.append(answer)
    for body in bodies:
        assert body["content"], body
        for content in body["content"].values():
            assert content["schema"], content
            assert has_example(content), content
    for response in operation["responses"].values():
        assert response["description"]
        for header in response["headers"].values():
            assert header["description"]
            assert "example" in header


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_the_problems_are_declared(path: str, operation: Node) -> None:
    statuses = {int(status) for status in operation["responses"]}
    expected = {500}
    if path.startswith("/v1/"):
        expected |= {422, 429, 503}
        expected |= set() if is_open(path) else {401, 403}
    if "{" in path:
        expected |= {404}
    if "requestBody" in operation:
        expected |= {400, 413, 415}
    assert expected <= statuses
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        content = response["content"]["application/problem+json"]
        for name, example in content["examples"].items():
            assert example["value"]["type"] == f"/problems/{name}"
            assert CATALOGUE[name].status == int(status)


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_links_lead_to_operations_that_take_what_they_give(path: str, operation: Node) -> None:
    _ = path
    targets = {
        target["operationId"]: target
        for methods in DOCUMENT["paths"].values()
        for target in methods.values()
    }
    for response in operation["responses"].values():
        for link in response.get("links", {}).values():
            target = targets[link["operationId"]]
            taken = {parameter["name"] for parameter in target["parameters"]}
            assert set(link["parameters"]) <= taken
            assert ("requestBody" in link) <= ("requestBody" in target)
            assert link["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_description_and_examples(name: str) -> None:
    schema = SCHEMAS[name]
    if name == "JsonValue":  # any JSON
        return
    assert schema["description"]
    assert schema["examples"]
    for field, node in schema.get("properties", {}).items():
        assert node["description"], field
        assert node["examples"] or node["examples"] == [[]], field


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_examples_are_what_they_are_examples_of(model: type[BaseModel]) -> None:
    for example in SCHEMAS[model.__name__]["examples"]:
        model.model_validate(example)


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_examples_of_answers_are_as_declared(path: str, operation: Node) -> None:
    _ = path
    models = {model.__name__: model for model in MODELS}
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            examples = (
                [content["example"]]
                if "example" in content
                else [example["value"] for example in content["examples"].values()]
            )
            for example in examples if name else []:
                models[name].model_validate(example)
