"""A few NTP exchanges with one address, on a socket of their own.

The socket is connected: the kernel drops datagrams of anybody else, and an ICMP
port-unreachable arrives as an error.  The port is the kernel's random choice
(RFC 9109), the transmit timestamp is 64 random bits that must come back.

How many packets.  One request first, until it is answered: an address that is
silent or says no is not bothered further.  Then three more, 20 ms apart, without
waiting for each answer, so that all is done in two round trips and 40 ms: no
longer than the reflector and the rendezvous's clock take beside it.  At
most 8 packets go to one address, lost ones included: what the rate limits that
servers ship with let pass at once (chrony: ``ratelimit burst 8``), and no more
than ntpd's own ``iburst``.

T4 is read when the event loop calls, on a plain socket with ``add_reader``.
Delay on idle loopback, best of four as used here, median of 75: 38 µs; with the
kernel's receive stamp (``SO_TIMESTAMPNS``) it were 25 µs, but that is wall-clock
time, which steps; with asyncio's datagram transport, whose every read allocates
256 KiB, 48 to 95 µs.  Whatever is lost there widens the bound, which stays true.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable

from peer.core.clockmap import ClockMap
from peer.core.ntp_filter import Sample
from peer.core.ntp_reply import Reply, refusal, utc_ns
from peer.core.times import LocalNs, MonoNs
from peer.io.clock import Clock
from peer.io.ntp_packet import decode_reply, encode_request
from peer.io.resolve import Target
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

SAMPLES = 4
"""As many as chrony's ``iburst``: enough for one without queueing among them."""
GAP_NS = 20 * NS_PER_MS
"""Between requests: far enough that they do not all meet the same busy stretch of this process,
which on a slow host is the largest error (5 ms: corrected clocks up to 2.2 ms apart there)."""
FIRST_WAITS_NS = (250 * NS_PER_MS, 500 * NS_PER_MS, NS_PER_S)
"""For an answer to the first request, before it is sent again; doubling, as all retries do."""
RECEIVE_MAX = 512
"""Octets of an answer that are read; the header is the first 48."""
MAX_LOST = 2
"""Later requests that are sent again."""
PATIENCE_MIN_NS = 50 * NS_PER_MS
PATIENCE_RTTS = 4
"""An answer that is later than so many round trips will be of no use, or is lost."""


def patience_ns(rtt_ns: int) -> int:
    """Say how long an answer is worth waiting for, where the round trip is known.

    Args:
        rtt_ns: the least delay seen.

    Returns:
        A duration in nanoseconds.
    """
    return max(PATIENCE_MIN_NS, PATIENCE_RTTS * rtt_ns)


class NtpQuery:
    """The exchanges with one address; ``run`` once, then read ``samples`` and ``problem``."""

    def __init__(
        self,
        server: str,
        target: Target,
        *,
        clock: Clock,
        clockmap: ClockMap,
        on_news: Callable[[], None],
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            server: the name that samples carry.
            target: where to ask.
            clock: gives T1 and T4.
            clockmap: what they are read against.
            on_news: called when a sample has come.
        """
        self.samples: list[Sample] = []
        self.problem: str | None = None
        """Why there are no samples, in words; also of answers that were ignored."""
        self._server = server
        self._target = target
        self._clock = clock
        self._clockmap = clockmap
        self._on_news = on_news
        self._pending: dict[int, LocalNs] = {}
        self._ended = False
        self._news = asyncio.Event()

    @property
    def rtt_ns(self) -> int | None:
        """The least delay seen."""
        return min((sample.delay_ns for sample in self.samples), default=None)

    async def run(self) -> None:
        """Ask until there are enough samples, or no hope of more."""
        try:
            udp = self._open()
        except OSError as error:
            self.problem = _words(error)
            return
        loop = asyncio.get_running_loop()
        with udp:
            loop.add_reader(udp, self._receive, udp)
            try:
                await self._ask(udp)
            finally:
                loop.remove_reader(udp)

    def _open(self) -> socket.socket:
        udp = socket.socket(self._target.family, socket.SOCK_DGRAM)
        try:
            udp.setblocking(False)
            udp.connect(self._target.address)
        except OSError:
            udp.close()
            raise
        return udp

    async def _ask(self, udp: socket.socket) -> None:
        for wait_ns in FIRST_WAITS_NS:
            self._send(udp)
            if await self._heard(1, wait_ns):
                break
        rtt_ns = self.rtt_ns
        if rtt_ns is None:
            return
        for _ in range(len(self.samples), SAMPLES):
            await self._clock.sleep_until(MonoNs(self._clock.now() + GAP_NS))
            self._send(udp)
        lost = 0
        while not await self._heard(SAMPLES, patience_ns(rtt_ns)) and lost < MAX_LOST:
            lost += 1
            self._send(udp)

    async def _heard(self, samples: int, wait_ns: int) -> bool:
        """Wait for so many samples, or the end; say whether they came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ns / NS_PER_S):
                while len(self.samples) < samples and not self._ended:
                    self._news.clear()
                    await self._news.wait()
        # Not by how the wait ended: after a busy spell both may have come in one turn of the loop.
        return len(self.samples) >= samples or self._ended

    def _send(self, udp: socket.socket) -> None:
        if self._ended:
            return
        origin = secrets.randbits(64) or 1
        request = encode_request(origin)
        self._pending[origin] = self._clockmap.local(self._clock.now())
        try:
            udp.send(request)
        except BlockingIOError:
            pass  # no room: as good as lost on the way
        except OSError as error:
            self._end(_words(error))

    def _receive(self, udp: socket.socket) -> None:
        try:
            data = udp.recv(RECEIVE_MAX)
        except BlockingIOError:  # woken for a datagram that the kernel then dropped
            return
        except OSError as error:
            self._end(_words(error))
            return
        # After reading, not before: what was read had certainly arrived by then.
        self._judge(data, self._clock.now())

    def _judge(self, data: bytes, at: MonoNs) -> None:
        try:
            reply = decode_reply(data)
        except ValueError as error:
            self.problem = str(error)
            return
        problem = refusal(reply, self._pending.keys())
        if problem is None:
            self._keep(reply, at)
            return
        # Only an answer to a request of ours can end it: anybody can send the rest.
        if reply.origin in self._pending:
            self._end(problem)
        else:
            self.problem = problem

    def _keep(self, reply: Reply, at: MonoNs) -> None:
        sample = Sample(
            t1=self._pending.pop(reply.origin),
            t2=utc_ns(reply.received),
            t3=utc_ns(reply.sent),
            t4=self._clockmap.local(at),
            at=at,
            root_distance_ns=reply.root_distance_ns,
            server=self._server,
        )
        if sample.delay_ns < 0:
            self._end("its clock was stepped between question and answer")
            return
        self.samples.append(sample)
        self._news.set()
        self._on_news()

    def _end(self, problem: str) -> None:
        self.problem = problem
        self._ended = True
        self._news.set()


def _words(error: OSError) -> str:
    return error.strerror or str(error)
