"""What goes over the wire for a call: the answer, or what a scripted fault makes of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace

from partners.runsignup.sandbox.answers import JSON, Question, answer, error_json, in_format
from partners.runsignup.sandbox.faults import Fault
from partners.runsignup.sandbox.parameters import ApiError
from partners.runsignup.sandbox.world import World

HTML = "text/html; charset=utf-8"
MAINTENANCE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"
NOT_FOUND = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1><hr>nginx</body></html>"

# Below this, packing costs more than it saves.
_LEAST_TO_GZIP = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """`declared` is a Content-Length that is not that of `body`; `drip` the seconds between two bytes."""

    status: int = 200
    content_type: str = JSON
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str = "ok"
    drip: float | None = None
    declared: int | None = None


def respond(world: World, question: Question, *, throttled: bool, fault: Fault | None, gzip_accepted: bool) -> Response:
    """The whole answer to one call, packed if the caller takes gzip."""
    if throttled:
        response = _error(question, ApiError(14, "Request throttled."), outcome="throttled")
    elif fault is not None and (scripted := _instead(question, fault)) is not None:
        response = scripted
    else:
        response = _answered(world, question, fault)
    if gzip_accepted and len(response.body) >= _LEAST_TO_GZIP:
        # The fastest level: the page goes over loopback, only the client's unpacking is to be met.
        packed = gzip.compress(response.body, compresslevel=1, mtime=0)
        response = replace(response, body=packed, headers=response.headers | {"Content-Encoding": "gzip"})
    return response if fault is None or throttled else _damaged(response, fault)


def _answered(world: World, question: Question, fault: Fault | None) -> Response:
    try:
        body, content_type = in_format(answer(world, question, fault), question)
    except ApiError as error:
        return _error(question, error, outcome=f"error {error.code}")
    return Response(body=body, content_type=content_type)


def _error(question: Question, error: ApiError, *, outcome: str, status: int | None = None) -> Response:
    body, content_type = error_json(error.code, error.message), JSON
    if error.code != 10:
        body, content_type = in_format(body, question)
    return Response(status=status or error.status, body=body, content_type=content_type, outcome=outcome)


def _instead(question: Question, fault: Fault) -> Response | None:
    """A scripted answer that the world is not asked for."""
    if fault.error is not None:
        return _error(question, ApiError(fault.error, fault.message), outcome=fault.name, status=fault.status or 200)
    if fault.location is not None:
        return Response(status=fault.status or 302, content_type=HTML, headers={"Location": fault.location})
    if fault.body is not None:
        return Response(status=fault.status or 200, body=fault.body.encode("utf-8", "surrogatepass"))
    if fault.html or (fault.status or 200) != 200:
        return Response(status=fault.status or 200, content_type=HTML, body=MAINTENANCE)
    return None


def _damaged(response: Response, fault: Fault) -> Response:
    body, headers = response.body, dict(response.headers)
    declared = None
    if fault.pad:
        # Blanks in front are legal JSON, so only its size is wrong with it.
        body = b" " * fault.pad + body
    if fault.truncate is not None:
        whole = len(body)
        body = body[: int(whole * fault.truncate)]
        declared = None if fault.honest else whole
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    return replace(
        response,
        body=body,
        headers=headers,
        declared=declared,
        drip=fault.drip,
        content_type=fault.content_type or response.content_type,
        outcome=fault.name,
    )
