"""Every failure as one form on the wire: `{"error", "details"}`. What only we may know goes to the log instead."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.exc import DataError, OperationalError

from goliat_monitoring.server.body_fields import unknown_field
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()

WWW_AUTHENTICATE = 'Basic realm="goliat-monitoring", charset="UTF-8"'


def refusal_of(  # noqa: PLR0911, PLR0912 - a case each
    problem: BaseException, method: str, path: str, body: object = None
) -> Refused:
    """What to answer to the failure `problem` of a request whose body has the annotation `body`. Logs what the answer
    does not tell."""
    match problem:
        case Refused():
            return problem
        case msgspec.ValidationError():
            return Refused(400, "the request has the wrong form", str(problem))
        case msgspec.DecodeError() | SerializationException():
            return Refused(400, "malformed JSON", str(problem))
        case RecursionError():
            return Refused(400, "malformed JSON", "it is nested too deeply")
        case NotFoundException():
            return Refused(404, "no such address", f"{method} {path}")
        case MethodNotAllowedException():
            return Refused(405, "this address does not take this method", f"{method} {path}")
        case ValidationException():
            return Refused(400, "the request has the wrong form", _validation_text(problem, body))
        case HTTPException() if problem.status_code < 500:
            status = 400 if problem.status_code == 422 else problem.status_code
            return Refused(status, _WORDS.get(status, "the request cannot be served"), problem.detail)
        case DataError():
            return Refused(400, "the request holds what the database cannot store", str(problem.orig).strip())
        case OverflowError() if "SQLite" in str(problem):
            # What PostgreSQL calls a DataError.
            return Refused(400, "the request holds what the database cannot store", str(problem))
        case OperationalError():
            log.error("database failed", method=method, path=path, problem=str(problem.orig))
            return Refused(503, "the database does not answer", "nothing was kept; try again in a few seconds")
        case InternalServerException() if problem.detail == _LEFT:
            log.debug("the client left before its request ended", method=method, path=path)
            return Refused(400, "the request ended early", "the sender closed the connection")
        case _:
            log.error("request failed", method=method, path=path, exc_info=problem)
            return Refused(500, "the server failed", "its log says why")


def headers_of(refusal: Refused) -> dict[str, str]:
    """Headers that go with the status."""
    if refusal.status == 401:
        return {"WWW-Authenticate": WWW_AUTHENTICATE}
    return {"Retry-After": "5"} if refusal.status == 503 else {}


def answer_problem(request: Request[Any, Any, Any], problem: Exception) -> Response[dict[str, object]]:
    """Litestar's handler for all exceptions."""
    refusal = refusal_of(problem, request.method, request.url.path, _body_of(request))
    # Of the framework's own: which methods an address takes.
    headers = {**(getattr(problem, "headers", None) or {}), **headers_of(refusal)}
    return Response(refusal.body(), status_code=refusal.status, headers=headers, media_type="application/json")


# How Litestar says that the connection broke in the middle of a request; it has no type of its own for it.
_LEFT = "client disconnected prematurely"
# It names the missing parameter of the handler.
_NO_BODY = "send a JSON object as the body"
_WORDS = {
    400: "the request has the wrong form",
    413: "the request is too large",
    415: "the request has an unknown media type",
}


def _body_of(request: Request[Any, Any, Any]) -> object:
    handler = request.scope.get("route_handler")
    field = handler.parsed_data_field if isinstance(handler, HTTPRouteHandler) else None
    return None if field is None else field.annotation


def _validation_text(problem: ValidationException, body: object) -> str:
    found = problem.extra if isinstance(problem.extra, list) else []
    parts = [
        _NO_BODY if item.get("message") == "'data'" else _fault(item, body) for item in found if isinstance(item, dict)
    ]
    return "; ".join(parts) or problem.detail


def _fault(item: dict[str, Any], body: object) -> str:
    key, message = item.get("key", "body"), item.get("message", "")
    told = "" if body is None else unknown_field(message, body, "" if key == "data" else _said(key))
    return told or f"{_said(key)}: {message}"


def _said(name: str) -> str:
    """A handler's parameter as the caller wrote it."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
