"""Identities: two that pinned each other meet, a third does not, and no file is made."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import suppress

import pytest

from peer.io.identity import Identity, fingerprint

Seen = tuple[str | None, bytes | None]
"""TLS's version and the far certificate."""


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> list[Seen | None]:
    """Shake hands over a socketpair; what the server saw, and the client, if they came to it."""
    ends = socket.socketpair()
    seen: list[Seen | None] = [None, None]

    def run(side: int, context: ssl.SSLContext) -> None:
        ends[side].settimeout(10)
        with ends[side], suppress(ssl.SSLError):
            secured = context.wrap_socket(ends[side], server_side=side == 0)
            with secured:
                # A refused client learns of it at its first read only.
                secured.sendall(b"x")
                assert secured.recv(1) == b"x"
                seen[side] = (secured.version(), secured.getpeercert(binary_form=True))

    threads = [
        threading.Thread(target=run, args=args, daemon=True) for args in ((0, server), (1, client))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return seen


def test_identities_that_pinned_each_other_meet_and_see_the_pinned_certificate() -> None:
    a, b = Identity.make(), Identity.make()
    ends = handshake(a.server_context(b.certificate), b.client_context(a.certificate))
    assert ends == [("TLSv1.3", b.certificate), ("TLSv1.3", a.certificate)]
    assert fingerprint(a.certificate) == a.fingerprint


@pytest.mark.parametrize("wrong", ["server", "client"])
def test_identity_when_a_third_one_answers_is_refused_at_both_ends(wrong: str) -> None:
    a, b, third = Identity.make(), Identity.make(), Identity.make()
    server = (third if wrong == "server" else a).server_context(b.certificate)
    client = (third if wrong == "client" else b).client_context(a.certificate)
    assert handshake(server, client) == [None, None]


def test_identity_makes_no_file() -> None:
    opened: list[object] = []
    watching = True

    def audit(event: str, args: tuple[object, ...]) -> None:
        if watching and event in ("open", "tempfile.mkstemp", "os.rename"):
            opened.append(args[0])

    sys.addaudithook(audit)
    a, b = Identity.make(), Identity.make()
    a.server_context(b.certificate)
    b.client_context(a.certificate)
    watching = False
    assert opened == []


def test_identity_shows_no_key() -> None:
    assert "PRIVATE" not in repr(Identity.make())
