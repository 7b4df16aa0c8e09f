"""What hypothesis sends to a server: bytes that were right once, and JSON that was."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from hypothesis import strategies as st

from tests.api.server import PATIENCE_S
from tests.fakes.server import SECRET_A, SECRET_B, report, srflx

AT_ONCE = 8
"""Connections that one example uses: each may have to wait until the server gives it up."""
SHORT = {
    "MIDAIR_RENDEZVOUS_SETTLE_S": "0",
    "MIDAIR_RENDEZVOUS_POLL_S": "1",
    "MIDAIR_RENDEZVOUS_HTTP_HEAD_S": "0.1",
    "MIDAIR_RENDEZVOUS_BODY_S": "0.1",
    "MIDAIR_RENDEZVOUS_HTTP_IDLE_S": "1",
    "MIDAIR_RENDEZVOUS_REFLECTOR_IDLE_S": "0.1",
    "MIDAIR_RENDEZVOUS_REFLECTOR_PARTIAL_S": "0.1",
}
"""So that it gives up soon."""
SEAT = {"version": 1, "session": "0" * 32, "seat": "a", "secret": SECRET_A}
REPORT = report(srflx("198.51.100.2:30000", token="18f.x")).model_dump(mode="json")
MESSAGES: dict[str, dict[str, Any]] = {
    "/v1/sessions": {"version": 1, "secret": SECRET_A, "nameplate": "1314"},
    "/v1/sessions/1314/join": {"version": 1, "secret": SECRET_B},
    "/v1/sessions/1314/wait": SEAT | {"wait_us": 1_000},
    "/v1/sessions/1314/attempts/1": SEAT | {"wait_us": 0, "report": REPORT},
    "/v1/sessions/1314/leave": SEAT | {"reason": "done"},
}
"""Every request with a body, by its path."""

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(["a", "1", "utc", "0" * 32, "198.51.100.2:1", "[::1]:1", "\ud800", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def bent_json(draw: st.DrawFn, right: Any) -> Any:
    """Draw JSON that is like a right one but for one place in it."""
    if isinstance(right, dict) and right and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(right)))
        if draw(st.integers(0, 5)) == 0:
            return {name: value for name, value in right.items() if name != key}
        return right | {key: draw(bent_json(right[key]))}
    if isinstance(right, list) and right and draw(st.integers(0, 3)):
        many = draw(st.sampled_from([1, 2, 33]))
        return [draw(bent_json(right[0]))] * many
    return draw(_JSON)


@st.composite
def bent_bytes(draw: st.DrawFn, right: bytes) -> bytes:
    """Draw bytes that are like right ones but cut off, cut out, doubled, overwritten or longer."""
    place = st.integers(0, len(right))
    start, end = sorted((draw(place), draw(place)))
    match draw(st.sampled_from(["cut off", "cut out", "doubled", "written over", "longer"])):
        case "cut off":
            return right[:start]
        case "cut out":
            return right[:start] + right[end:]
        case "doubled":
            return right[:end] + right[start:]
        case "written over":
            new = draw(st.binary(max_size=8))
            return right[:start] + new + right[start + len(new) :]
        case _:
            return right[:start] + draw(st.binary(max_size=40)) + right[start:]


def converse(port: int, sent: list[bytes], *, reset: bool) -> list[bytes]:
    """Send bytes on a connection each, all at once; return what comes back until it is closed.

    Args:
        port: on 127.0.0.1.
        sent: the bytes.
        reset: hear nothing, break the connections off.
    """
    with contextlib.ExitStack() as stack:
        place = ("127.0.0.1", port)
        socks = [stack.enter_context(socket.create_connection(place, PATIENCE_S)) for _ in sent]
        for sock, data in zip(socks, sent, strict=True):
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return [] if reset else [_hear(sock) for sock in socks]


def _hear(sock: socket.socket) -> bytes:
    heard = b""
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            heard += more
    return heard
