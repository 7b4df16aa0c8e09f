"""HTTP to one server: requests out, whole answers in, and a limit for each of them.

Not for what is said, and not for trying again: those are :mod:`peer.io.answers` and
:mod:`peer.io.asking`.  httpx's own limits are for a single read, so that a server which says a
byte now and then, or never stops, would be listened to for ever.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

from peer.errors import UsageError
from peer.io.lean import httpx
from rendezvous.protocol.messages import MAX_POLL_US
from rendezvous.protocol.times import US_PER_S

CONNECT_TIMEOUT_S = 5.0
"""Three SYNs (RFC 6298: 1 s apart); more than that is no rendezvous to plan a volley with."""
ANSWER_TIMEOUT_S = 3.0
"""Most that an answer may take beyond the time for which its request may be parked: an answer
that a NAT or a restart has swallowed must be noticed while there is still time for another."""
TELL_TIMEOUT_S = 2.0
"""Most that a message may take whose answer nobody needs."""
KEEPALIVE_S = 2 * MAX_POLL_US / US_PER_S
"""Longer than a parked poll, or each poll would pay a handshake."""
MAX_OCTETS = 64 * 1024
"""Of an answer; the longest of the contract, an appointment of 16 pairs, has less than 3 kB."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, read whole, or up to :data:`MAX_OCTETS`."""

    status: int
    kind: str
    """The content type."""
    retry_after: str
    body: bytes
    whole: bool

    @property
    def success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299


class Http:
    """The connections to one server; :meth:`aclose` them.

    Attributes:
        url: without a slash at its end.
        host: name or address of the server.
    """

    def __init__(self, url: str) -> None:
        """Check the URL; nothing is sent yet.

        Args:
            url: ``http://`` or ``https://`` and a host.

        Raises:
            UsageError: the URL is not one.
        """
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            parts = httpx.URL()
        if parts.scheme not in ("http", "https") or not parts.host or (parts.port or 0) > 65535:
            raise UsageError(
                f"{url!r} is not the URL of a rendezvous", "Give one like http://example.net:8080"
            )
        self.url = url.rstrip("/")
        self.host = parts.host
        self._client = httpx.AsyncClient(
            # Loading the CA bundle takes longer than all the rest; plain HTTP needs none, and
            # an empty context would trust nobody.
            verify=parts.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_S),
            headers={
                "content-type": "application/json",
                "accept": "application/json",
                "accept-encoding": "identity",
            },
            # The seat is in every request: what else a server would have us keep is dropped.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def aclose(self) -> None:
        """Close the connections; harmless when they are closed."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        content: str | None = None,
        *,
        parked_us: int = 0,
        extensions: Mapping[str, object] | None = None,
    ) -> Said:
        """Send a request once.

        Args:
            method: GET or POST.
            path: from the root of the URL.
            content: the body; None: there is none.
            parked_us: how long the server may take before it answers.
            extensions: httpx's.

        Returns:
            The answer, whatever it says.

        Raises:
            httpx.RequestError: there was none, or no end of it.
        """
        read_s = parked_us / US_PER_S + ANSWER_TIMEOUT_S
        limits = httpx.Timeout(read_s, connect=CONNECT_TIMEOUT_S).as_dict()
        try:
            async with (
                asyncio.timeout(CONNECT_TIMEOUT_S + read_s),
                self._client.stream(
                    method,
                    self.url + path,
                    content=content,
                    extensions={"timeout": limits, **(extensions or {})},
                ) as response,
            ):
                return await _read(response)
        except TimeoutError:
            raise httpx.ReadTimeout("its answer did not end") from None

    async def tell(self, path: str, content: str) -> None:
        """Post a message once, and care for no answer.

        Args:
            path: from the root of the URL.
            content: the body.
        """
        if self._client.is_closed:
            return
        # Over when the head of the answer is there: then it was read.
        with suppress(httpx.HTTPError, TimeoutError):
            async with (
                asyncio.timeout(TELL_TIMEOUT_S),
                self._client.stream("POST", self.url + path, content=content),
            ):
                return


async def _read(response: httpx.Response) -> Said:
    body = bytearray()
    # Raw: no content coding was asked for, and a short one could unfold into any length.
    async for chunk in response.aiter_raw():
        body += chunk[: MAX_OCTETS + 1 - len(body)]
        if len(body) > MAX_OCTETS:
            break
    return Said(
        response.status_code,
        response.headers.get("content-type", ""),
        response.headers.get("retry-after", ""),
        bytes(body[:MAX_OCTETS]),
        whole=len(body) <= MAX_OCTETS,
    )
