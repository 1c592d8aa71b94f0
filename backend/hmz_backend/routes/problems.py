"""Every error as a problem document (RFC 9457), whoever raised it."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hmz_backend.audit.entry import Entry
from napari_hmz.errors import (
    DataRefused,
    HmzError,
    InternalError,
    IssuerUnavailable,
    NotAllowed,
    NotFound,
    RequestError,
    ServerBusy,
)
from napari_hmz.schema import Problem, to_problem, wire

log = logging.getLogger(__name__)
RETRY_S = "3"  # a little longer than an issuer that does not answer is left alone
SHOWN = 5  # faults of a body that are named


class KServeProblem(Problem):
    """A problem document that clients of KServe's protocol can read, too."""

    error: str


def for_kserve(problem: Problem) -> KServeProblem:
    """Return a problem with what clients of KServe's protocol look for."""
    error = f"{problem.detail} {problem.remedy}".strip()
    return KServeProblem(**problem.model_dump(), error=error)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as the wire has it."""
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        media_type=wire.PROBLEM_TYPE,
        headers=dict(headers or {}),
    )


async def on_error(request: Request, error: Exception) -> Response:
    """Answer with one of our own errors."""
    known = error if isinstance(error, HmzError) else InternalError()
    _note(request, known)
    return _answer(request, to_problem(known, request_id(request)), _headers(known))


def _note(request: Request, error: HmzError) -> None:
    """Tell the audit trail of somebody who is known, and wants what they may not."""
    caller = request.scope.get("state", {}).get("caller")
    if caller is not None and isinstance(error, (NotAllowed, DataRefused)):
        names = request.path_params
        thing = names.get("run") or names.get("volume") or ""
        entry = Entry("request.refused", caller, thing=thing, outcome=error.code)
        request.app.state.services.audit.summary.note(entry)


def _headers(error: HmzError) -> dict[str, str]:
    if isinstance(error, ServerBusy):
        return {"Retry-After": str(math.ceil(error.retry_after_s))}
    if isinstance(error, IssuerUnavailable):
        return {"Retry-After": RETRY_S}
    return {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}


def _answer(
    request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer as the path's protocol has it: KServe's clients look for `error`."""
    if request.url.path.startswith(wire.KSERVE):
        problem = for_kserve(problem)
    return problem_response(problem, headers)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a body or a query that does not have the announced form."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    words = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in faults[:SHOWN]
    )
    known = RequestError(f"The request is not of the expected form: {words}.")
    return _answer(request, to_problem(known, request_id(request)))


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the routing refuses: unknown paths and methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = str(error.detail) if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == HTTPStatus.BAD_REQUEST:  # a body that is no JSON at all
        status = RequestError.status
    missing = status == HTTPStatus.NOT_FOUND
    known = NotFound("There is nothing at this address.") if missing else RequestError(words)
    problem = to_problem(known, request_id(request))
    return _answer(request, problem.model_copy(update={"status": status}), headers)


def request_id(request: Request) -> str:
    """Return the number that the gate gave the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))
