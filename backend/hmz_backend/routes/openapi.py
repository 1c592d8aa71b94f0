"""`/v1/openapi.json`: what the framework finds of the routes, and how errors really look."""

from typing import Any

from fastapi import FastAPI, Request

from hmz_backend.routes.problems import KServeProblem
from napari_hmz.schema import wire

FIRST_ERROR = 400
NOT_OURS = ("HTTPValidationError", "ValidationError")
"""How the framework would answer what does not have the announced form."""


async def document(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document of this backend."""
    return described(request.app)


def described(app: FastAPI) -> dict[str, Any]:
    """Return an application's OpenAPI document, in which every error is a problem document."""
    found = app.openapi()  # the framework keeps it: what is done to it is done once
    schemas = found["components"]["schemas"]
    for name in NOT_OURS:
        schemas.pop(name, None)
    schemas[KServeProblem.__name__] = KServeProblem.model_json_schema()
    for path, operations in found["paths"].items():
        kind = "KServeProblem" if path.startswith(wire.KSERVE) else "Problem"
        for operation in operations.values():
            _name_problems(operation["responses"], kind)
    return found


def _name_problems(responses: dict[str, Any], kind: str) -> None:
    for status, response in responses.items():
        if int(status) >= FIRST_ERROR:
            examples = response.get("content", {}).get(wire.PROBLEM_TYPE, {}).get("examples", {})
            schema = {"$ref": f"#/components/schemas/{kind}"}
            response["content"] = {wire.PROBLEM_TYPE: {"schema": schema, "examples": examples}}
