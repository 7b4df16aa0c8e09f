"""What leaves when, through a transport that joins heads and bodies."""

from __future__ import annotations

import asyncio

from rendezvous.joining import Joining

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"FIN")


def test_head_leaves_with_the_body() -> None:
    below = FakeTransport()
    joining = Joining(below)
    joining.write(HEAD)
    assert below.sent == []
    joining.write(b"ok")
    joining.write(b"more")
    assert below.sent == [HEAD + b"ok", b"more"]


def test_head_without_a_body_leaves_with_a_flush_or_at_the_end() -> None:
    below = FakeTransport()
    joining = Joining(below)
    joining.write(HEAD)
    joining.flush()
    joining.flush()
    joining.write(HEAD)
    joining.close()
    assert below.sent == [HEAD, HEAD, b"FIN"]


def test_interim_answer_does_not_wait_for_another() -> None:
    below = FakeTransport()
    Joining(below).write(INTERIM)
    assert below.sent == [INTERIM]


def test_two_heads_stay_in_their_order() -> None:
    below = FakeTransport()
    joining = Joining(below)
    joining.write(HEAD)
    joining.write(HEAD)
    assert below.sent == [HEAD + HEAD]
