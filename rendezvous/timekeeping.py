"""The answer of ``/v1/time``, which reads the clock when it is almost gone."""

from __future__ import annotations

from fastapi import Response
from starlette.types import Receive, Scope, Send

from rendezvous.clock import Clock
from rendezvous.protocol.messages import PROTOCOL_VERSION, TimeResponse

BODY_OCTETS = 96
"""Always, so that the headers can leave before T3 is taken.  JSON may end in spaces
(RFC 8259 §2); two instants of 17 characters leave 20 of them."""


class TimeReply(Response):
    """T2 and T3; whatever is done after T3 counts as the network's delay."""

    media_type = "application/json"

    def __init__(self, received_us: int, clock: Clock) -> None:
        """Take T2 and the clock for T3."""
        super().__init__(headers={"content-length": str(BODY_OCTETS), "cache-control": "no-store"})
        self._received_us = received_us
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, then read the clock, then send the body."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        times = TimeResponse(
            version=PROTOCOL_VERSION,
            received_us=self._received_us,
            sent_us=self._clock.now_us(),
        )
        body = times.model_dump_json().encode().ljust(BODY_OCTETS)
        await send({"type": "http.response.body", "body": body})
