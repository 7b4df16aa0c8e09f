"""Many byte streams over one: HTTP/2 with CONNECT, RFC 9113 section 8.5, without any I/O.

Not for waiting or for sockets: :mod:`peer.io.mux`. The side that has the target is HTTP/2's
server, the side where connections are accepted is its client and opens the streams. Frames,
their order and their flow control are the library's (h2); the little that is said in headers is
here::

    client:  :method CONNECT, :authority HOST:PORT  (DEFAULT: what the server was started with)
    server:  :status 200, then bytes in both directions; or
             :status 403 or 502, reason: a sentence; END_STREAM

Each direction ends with END_STREAM, and RST_STREAM says that something is missing.

*Bounds.* A stream's window is opened again as its consumer takes bytes, never before. It begins as
WINDOW, and is doubled whenever the consumer has taken as much as it holds, while something is left
in a POOL that all streams share: one that is read gets fast, one that nobody reads stays small. The
connection's window holds those of all streams and the pool, so that however many consumers stand
still, the others go on, and no more than CONNECTION_WINDOW bytes ever wait here.
"""

from __future__ import annotations

from contextlib import suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PriorityUpdated,
    PushedStreamReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame

from peer.core.mux_events import (
    Accepted,
    Arrived,
    Asked,
    Ended,
    MoreRoom,
    MuxEvent,
    Refused,
    WasReset,
)
from rendezvous.protocol.errors import ProtocolError

STREAMS = 24
"""Most at once; more wait to be accepted. A browser opens 6 to a host. With all of them
standing still one process was seen at 79 MB, from 66 MB."""
WINDOW = 128 * 1024
"""Bytes of a stream on the way or waiting, at first."""
POOL = 2 * 1024 * 1024
"""Bytes that windows can grow by, all together: one stream alone gets to 56 MB/s at 40 ms of round
trip."""
CONNECTION_WINDOW = STREAMS * WINDOW + POOL
"""5 MiB: the most that waits for consumers that stand still."""
FRAME_MAX = 128 * 1024
"""Bytes in a DATA frame: h2 has work for each, whatever its length."""
DEFAULT = "default:0"
"""The authority that asks for the server's own target; no place has port 0."""
REASON_MAX = 300
"""Most characters of a refusal that are shown."""
_DEFAULT_WINDOW = 65_535
"""RFC 9113 section 6.9.2: the connection's, before the first WINDOW_UPDATE."""
# h2 describes each frame for a log that nobody keeps, all its bytes in hexadecimal digits: that was
# a third of the receiver's time.
DataFrame.__repr__ = object.__repr__  # type: ignore[method-assign]

_Headers = list[tuple[bytes, bytes]]


class MuxMachine:
    """One side of the connection.

    Whatever is called may leave bytes to send: see :meth:`take_outgoing`.
    """

    def __init__(self, *, opens: bool) -> None:
        """Begin.

        Args:
            opens: this side opens the streams: HTTP/2's client.
        """
        self._opens = opens
        self._ready = not opens
        # By stream, how many of its directions are open: h2 says that of none.
        self._live: dict[int, int] = {}
        # By stream, its window and what was taken since that last grew.
        self._windows: dict[int, tuple[int, int]] = {}
        self._pool = POOL
        self._h2 = H2Connection(H2Configuration(client_side=opens, header_encoding=None))
        self._h2.initiate_connection()
        settings: dict[SettingCodes | int, int] = {
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
            SettingCodes.MAX_FRAME_SIZE: FRAME_MAX,
            SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
        }
        if opens:
            settings[SettingCodes.ENABLE_PUSH] = 0
        self._h2.update_settings(settings)
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - _DEFAULT_WINDOW)

    @property
    def may_open(self) -> bool:
        """Whether the partner takes one more stream."""
        most = min(STREAMS, self._h2.remote_settings.max_concurrent_streams)
        # h2 also counts streams that are over, and whose end the partner has not completed.
        taken = max(len(self._live), self._h2.open_outbound_streams)
        return self._opens and self._ready and taken < most

    def open(self, authority: str) -> int:
        """Ask for a stream; :attr:`may_open` holds.

        Args:
            authority: the place, or DEFAULT.

        Returns:
            The stream's number.
        """
        if not self.may_open:
            raise ValueError("no stream may be opened now")
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(
            number, [(b":method", b"CONNECT"), (b":authority", authority.encode())]
        )
        self._live[number] = 2
        return number

    def accept(self, stream: int) -> None:
        """Say that a stream that was asked for is connected."""
        if stream in self._live:
            self._h2.send_headers(stream, [(b":status", b"200")])

    def refuse(self, stream: int, reason: str, *, forbidden: bool) -> None:
        """Say that it is not, and end it.

        Args:
            stream: its number.
            reason: a sentence for people.
            forbidden: the place is not allowed; else it cannot be reached.
        """
        if stream in self._live:
            status = b"403" if forbidden else b"502"
            # Cut between characters, and without what a header may not end in.
            text = reason.encode()[:REASON_MAX].decode(errors="ignore").strip()
            headers: _Headers = [(b":status", status), (b"reason", text.encode())]
            self._h2.send_headers(stream, headers, end_stream=True)
            self._h2.reset_stream(stream, ErrorCodes.NO_ERROR)
            self._forget(stream)

    def credit(self, stream: int) -> int:
        """Return how many bytes may be sent in one frame now."""
        if stream not in self._live:
            return 0
        window = self._h2.local_flow_control_window(stream)
        return max(0, min(window, FRAME_MAX, self._h2.max_outbound_frame_size))

    def send(self, stream: int, data: bytes | memoryview) -> None:
        """Send bytes, at most the credit."""
        self._h2.send_data(stream, data)

    def end(self, stream: int) -> None:
        """End our direction."""
        if stream in self._live:
            self._h2.end_stream(stream)
            self._end_direction(stream)

    def reset(self, stream: int) -> None:
        """Break a stream; one that is over stays as it is."""
        if stream in self._live:
            self._forget(stream)
            self._h2.reset_stream(stream, ErrorCodes.CANCEL)

    def consumed(self, stream: int, length: int) -> None:
        """Let the partner send as much again.

        Args:
            stream: one from which bytes arrived; it may be over.
            length: bytes that the consumer took.
        """
        if length:
            self._h2.acknowledge_received_data(length, stream)
            if stream in self._live:
                self._widen(stream, length)

    def _widen(self, stream: int, length: int) -> None:
        window, taken = self._windows.get(stream, (WINDOW, 0))
        taken += length
        step = min(window, self._pool)
        if taken >= window and step:
            self._h2.increment_flow_control_window(step, stream)
            self._pool -= step
            window, taken = window + step, 0
        self._windows[stream] = window, taken

    def _forget(self, stream: int) -> None:
        self._live.pop(stream, None)
        window, _ = self._windows.pop(stream, (WINDOW, 0))
        self._pool += window - WINDOW

    def take_outgoing(self) -> bytes:
        """Return the bytes to send, once."""
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> list[MuxEvent]:
        """Take bytes of the partner.

        Returns:
            What they mean, in order.

        Raises:
            ProtocolError: they mean nothing that we know; the connection is of no use any more.
        """
        try:
            raw = self._h2.receive_data(data)
            return [ours for event in raw for ours in self._translate(event)]
        except (H2Error, ValueError, IndexError, UnicodeDecodeError) as error:
            raise ProtocolError(f"multiplexing: {error!s}") from None

    def _translate(self, event: Event) -> list[MuxEvent]:
        match event:
            case RequestReceived():
                return [self._asked(event)]
            case ResponseReceived():
                return [self._answered(event)]
            case DataReceived(stream_id=stream, data=data, flow_controlled_length=length):
                # Padding is nobody's to consume.
                self.consumed(stream, (length or 0) - len(data or b""))
                return [Arrived(stream, bytes(data))] if stream in self._live and data else []
            case StreamEnded(stream_id=stream):
                known = stream in self._live
                self._end_direction(stream)
                return [Ended(stream), MoreRoom()] if known else []
            case StreamReset(stream_id=stream):
                known = stream in self._live
                self._forget(stream)
                return [WasReset(stream), MoreRoom()] if known else []
            case RemoteSettingsChanged():
                self._ready = True
                return [MoreRoom()]
            case WindowUpdated():
                return [MoreRoom()]
            case ConnectionTerminated(error_code=code):
                raise ProtocolError(f"multiplexing: the partner gave up with error {code!r}")
            case TrailersReceived() | PushedStreamReceived() | PriorityUpdated():
                raise ProtocolError(f"multiplexing: {type(event).__name__} has no place here")
        return []

    def _asked(self, event: RequestReceived) -> Asked:
        headers = dict(event.headers or [])
        authority = headers.get(b":authority", b"")
        if headers.get(b":method") != b"CONNECT" or not authority:
            raise ProtocolError("multiplexing: a request that is no CONNECT")
        stream = event.stream_id or 0
        self._live[stream] = 2
        return Asked(stream, _printable(authority))

    def _answered(self, event: ResponseReceived) -> Accepted | Refused:
        headers = dict(event.headers or [])
        stream = event.stream_id or 0
        if headers.get(b":status") == b"200":
            return Accepted(stream)
        self._forget(stream)
        with suppress(H2Error):  # it may be closed already
            self._h2.reset_stream(stream, ErrorCodes.CANCEL)
        return Refused(stream, _printable(headers.get(b"reason", b"")) or "no reason given")

    def _end_direction(self, stream: int) -> None:
        if stream in self._live:
            self._live[stream] -= 1
            if not self._live[stream]:
                self._forget(stream)


def _printable(text: bytes) -> str:
    shown = text.decode()[:REASON_MAX]
    if not shown.isprintable():
        raise ProtocolError("multiplexing: a header is not printable")
    return shown
