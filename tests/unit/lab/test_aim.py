"""A volley's aim, read from what a peer says and what was captured."""

from __future__ import annotations

from typing import Any

from lab.bench.aim import Volley, volley
from lab.packets import Flags, Packet, Tcp
from lab.scenario import SessionRun
from lab.seat import PeerRun
from lab.topology import RENDEZVOUS_IPV4

INSTANT_US = 1_800_000_000_000_000
OFFSET_US = 250
"""The peer is so far behind what the instant is in."""
ALL = (31000, 31001, 31002, 31003)
REMOTE = "203.0.113.2"


def packet(
    at_us: float, port: int, *, to: tuple[str, int] | None = None, flags: Flags = Flags.SYN
) -> Packet:
    """A packet that left so long after the instant, by this peer's clock."""
    remote = to or (REMOTE, port + 1000)
    tcp = Tcp(
        source=("10.1.0.2", port),
        destination=remote,
        sequence=1,
        acknowledgement=0,
        flags=flags,
        options_length=20,
        payload_length=0,
    )
    return Packet(
        t_ns=(INSTANT_US - OFFSET_US) * 1000 + round(at_us * 1000),
        direction="out",
        version=4,
        source="10.1.0.2",
        destination=remote[0],
        protocol=6,
        body=tcp,
        raw=b"",
    )


def session(packets: list[Packet], *, events: tuple[dict[str, Any], ...]) -> SessionRun:
    peers = {
        side: PeerRun(exit_code=0, events=events if side == "a" else (), received=b"", noise="")
        for side in ("a", "b")
    }
    return SessionRun(
        peers=peers,  # type: ignore[arg-type]
        packets={"a": tuple(packets), "b": ()},
        lost_packets=0,
    )


def appointment(attempt: int = 1) -> dict[str, Any]:
    return {
        "event": "appointment",
        "attempt": attempt,
        "instant_us": INSTANT_US,
        "offset_us": OFFSET_US,
        "pairs": [[f":{port}", f"{REMOTE}:{port + 1000}"] for port in ALL],
    }


def shots() -> tuple[dict[str, Any], ...]:
    return tuple({"event": "shot", "pair": n, "fire_error_us": 20 + 30 * n} for n in range(4))


def test_volley_is_read_from_the_first_syn_of_each_appointed_pair() -> None:
    packets = [
        packet(-90_000.0, 45000, to=(RENDEZVOUS_IPV4, 8081)),
        packet(-80_000.0, 45001),
        packet(-1.0, ALL[0], flags=Flags.RST),
        *(packet(55.5 + 40 * n, port) for n, port in enumerate(ALL)),
        packet(900.0, ALL[0]),
    ]
    run = session(packets, events=(appointment(), *shots()))
    assert volley(run, "a") == Volley(first_us=55.5, span_us=120.0, told_us=20, pairs=4)


def test_volley_that_left_early_is_negative() -> None:
    run = session([packet(-12.25, ALL[1])], events=(appointment(), *shots()))
    assert volley(run, "a") == Volley(first_us=-12.25, span_us=0.0, told_us=20, pairs=1)


def test_volley_of_the_first_attempt_counts() -> None:
    later = {**appointment(2), "instant_us": INSTANT_US + 5_000_000}
    run = session([packet(30.0, ALL[0])], events=(appointment(), *shots(), later))
    found = volley(run, "a")
    assert found is not None
    assert found.first_us == 30.0


def test_no_volley_without_an_appointment_or_a_syn() -> None:
    run = session([], events=(appointment(), *shots()))
    assert volley(run, "a") is None
    assert volley(run, "b") is None
