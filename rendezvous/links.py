"""OpenAPI links: how the seat that one answer gives is used in the next request.

For readers of /openapi.json, and for tools that walk through whole sessions by it.

Reference: OpenAPI 3.1, Link Object and runtime expressions.
"""

from __future__ import annotations

from typing import Any

_SEAT = {
    "version": "$response.body#/version",
    "session": "$response.body#/session",
    "seat": "$response.body#/seat",
    "secret": "$request.body#/secret",
}
_NAMEPLATE = {"nameplate": "$response.body#/nameplate"}


def linked(status: int) -> dict[int | str, dict[str, Any]]:
    """Describe what may follow the answer that gives a seat.

    Args:
        status: of that answer.

    Returns:
        FastAPI's ``responses``.
    """
    links: dict[str, Any] = {
        name: {"operationId": name, "parameters": _NAMEPLATE, "requestBody": _SEAT}
        for name in ("wait", "attempt", "leave")
    }
    # Another client's, with a secret of its own.
    links["join"] = {"operationId": "join", "parameters": _NAMEPLATE}
    return {status: {"links": links}}
