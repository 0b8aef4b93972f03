"""How HTTP says no: one shape for every error, whoever raises it, and the descriptions of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from sygen_bot.errors import RequestError, StorageError

_CODES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media",
    416: "range_not_satisfiable",
    422: "invalid",
    429: "rate_limited",
    431: "too_large",
    503: "unavailable",
}
_STATUSES: Final = {
    "bad_request": 400,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media": 415,
    "invalid": 422,
    "transcription_failed": 502,
    "unavailable": 503,
    "busy": 503,
}
_SENTENCES: Final = {
    400: "The request cannot be read.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}
"""Instead of the names that HTTP gives to statuses."""
_MEANINGS: Final = {
    400: "The request is malformed, or something is missing",
    401: "There is no token, or a wrong one",
    403: "It is there, but not for clients",
    404: "There is no such thing",
    409: "It contradicts what is already there",
    413: "What is sent or asked for is too large",
    415: "This kind of data is not taken here",
    416: "The file has no such range",
    422: "The request is understood, but something in it is wrong",
    429: "Too much at once; `Retry-After` tells when to come again",
    502: "Others that this depends on have failed",
    503: "What this needs is not there now: the database, or a program",
}


_ANY_OTHER: Final = "Any other error, in the same shape"
_SHAPE: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
"""By its name: FastAPI would compile a model that is named here anew for every status of every route, at every start."""


class Refusal(BaseModel):
    """What every error looks like, whoever raises it."""

    error: str = Field(description="A sentence for people")
    code: str = Field(description="Stable, for programs", examples=["not_found"])


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:  # the type that FastAPI takes
    """The descriptions of these errors of a route, and of all others that nobody foresees."""
    told: dict[int | str, dict[str, Any]] = {
        status: {"description": _MEANINGS[status], "content": _SHAPE} for status in statuses
    }
    if 401 in told:
        challenge = {"description": "`Bearer`", "schema": {"type": "string"}, "required": True}
        told[401]["headers"] = {"WWW-Authenticate": challenge}
    return {**told, "default": {"description": _ANY_OTHER, "content": _SHAPE}}


def any_refusal() -> dict[int | str, dict[str, Any]]:
    """Like `refusals()`, and brings the shape itself into the description: one route of the application has to."""
    return {"default": {"model": Refusal, "description": _ANY_OTHER}}


def refusal(
    status: int, sentence: str, headers: Mapping[str, str] | None = None, *, code: str | None = None
) -> JSONResponse:
    code = code or _CODES.get(status, "internal_error" if status >= 500 else "bad_request")
    return JSONResponse({"error": sentence, "code": code}, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Give every error of the application, and of what lies below it, the one shape."""

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        has_a_sentence = error.detail != _phrase(error.status_code)
        sentence = str(error.detail) if has_a_sentence else _SENTENCES.get(error.status_code, "This cannot be done.")
        headers = {"Allow": _methods(app, request)} if error.status_code == 405 else error.headers
        return refusal(error.status_code, sentence, headers)

    @app.exception_handler(RequestValidationError)
    def wrong_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        is_malformed = any(one["type"] in ("json_invalid", "missing") for one in error.errors())
        return refusal(400 if is_malformed else 422, problems)

    @app.exception_handler(RequestError)
    def refused(_request: Request, error: RequestError) -> JSONResponse:
        return refusal(_STATUSES.get(error.code, 400), str(error), code=error.code)

    @app.exception_handler(StorageError)
    def no_storage(_request: Request, _cause: StorageError) -> JSONResponse:
        return refusal(503, "The gateway cannot use its database now. Its log says why.")

    @app.exception_handler(ClientDisconnect)
    def gone(_request: Request, _cause: ClientDisconnect) -> JSONResponse:
        return refusal(400, "The request ends before its body does.")  # nobody is there to read it

    @app.exception_handler(Exception)
    def crash(_request: Request, _cause: Exception) -> JSONResponse:
        return refusal(500, "Something went wrong in the gateway. Its log has the details.")


def _methods(app: FastAPI, request: Request) -> str:
    """Every method that the address takes; the router only tells those of one of its routes."""
    scopes = {
        method: {**request.scope, "method": method} for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    }
    return ", ".join(
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
