"""What stands beside the figures of each section in docs/benchmarks.md: how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Picture = Literal["skew", "delay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A section's heading, and a few sentences."""

    title: str
    text: str
    picture: Picture | None = None
    """Drawn from this section's sessions."""


WORDS = """\
**D** is the delay one way, router to router; a round trip is 2 D. **Skew** is how far apart the two
peers' first SYNs leave. **By the first shot** means that on the connection that was kept, neither
peer had fired before. **Open** is ESTABLISHED, seen in the captures at the peers' own interfaces,
by the kernel's clock, which no peer's wrong clock touches. p95 and p99 are nearest ranks: of 20
runs the 95th percentile is the 19th value, and the 99th is the last. A dash under *wanted* means
that the figure is here to be known, not to be reached."""

READINGS: dict[str, Reading] = {
    "near": Reading(
        title="No delay at all",
        text="""\
Two hosts on one link, a processor each, on the host itself: each one's kernel refuses the other's
SYN within microseconds, unless both are inside `connect()` at once. It is the hardest case for
firing again, and the reason for its budget: *SYNs of a peer* is what the early one spends until
the late one is there. Other work on the machine shows here first.""",
    ),
    "start": Reading(
        title="Starting the command",
        text="""\
From the start of the process to its end, on the host. Whatever the command imports before it knows
what is wanted of it would show here. *To its code*: to the line that a listener prints when the
rendezvous, on the same host, has given it a nameplate; nearly all of it is imports.""",
    ),
    "aim": Reading(
        title="Aim",
        text="""\
How far from the appointed instant the first SYN of a volley really leaves, by the capture's time
of the packet, and how long after it the last of the four. Whole sessions on the host, no delay, the
clocks right: how right a peer's *correction* of a clock is, the section on clocks measures. The
peer's own word comes from before it calls `connect()`, so it is a little earlier.""",
    ),
    "load": Reading(
        title="The rendezvous alone",
        text="""\
One `midair-rendezvous` in one process on one processor, its clients on another, over loopback. A
*pairing* is a whole session as the server sees it: open, wait, join, address tokens, two reports,
two appointments, leave. A waiting peer is one parked poll, here of 25 s, the longest there is
(midair's own are of 10 s, so that one whose answer is swallowed costs little). What 10,000 of them
take from the pairings is the renewal of their polls, 400 a second. The clients here are leaner than
real ones, so that the server is what is measured.""",
    ),
    "streams": Reading(
        title="Bytes through loopback",
        text="""\
The same zeros through each program, round after round in turn, so that whatever else the machine
does falls upon all of them; a ratio is of the same round. A rate counts from the first byte at the
sink to the last. Every receiver runs on one processor and every sender on another, all of them with
their defaults. Nothing here is a network: it is what a program itself costs.

*Where the limits are.* Two processors are shared by source, sender, receiver and sink, so a rate is
what is left of their time, and the processor time for each GB says who uses it up. For 1 GiB socat
makes a million system calls at each end, of 8 KiB, and spends 52 % of its time in the kernel, 35 %
on TLS and 10 % on copies (`perf`, 2 GiB). midair makes 10,000 and spends, at the receiver and at
the sender, 30 and 33 % in the kernel, 30 and 36 % on TLS, 17 and 13 % on copies, and 22 and 17 %
in Python: much of what it saves in the kernel goes there, where every TLS record of 16 KiB is a
call of its own. That is what is left: a bare loop, without frames, credit, a second direction or an
event loop, has those calls, too. Five times wormhole's rate would be more than plain socat reaches
here without any encryption.

A forward takes about twice the processor time of the pipe. At each end the bytes go through one
more TCP connection, where the pipe has standard input and output; and h2 is written in Python,
copies every byte several times and keeps account of each frame. Larger frames help, but cost memory
for each connection that stands still. yamux has a header of 12 bytes and no such account, but no
answer that says why a target was refused.""",
    ),
    "crossing": Reading(
        title="Crossing SYNs, with all kinds of routers",
        text="""\
The main job: two NATs that refuse strangers with a RST, 20 ms apart, clocks 44.7 s apart. *SYNs
crossed, no listener* is asserted from the captures alone: two bare SYNs, each sent before the other
one came in, and no host that answered without having called itself. Two peers share the guest's
one processor, and one of them may be held up longer than 20 ms once in a while: hence 49 of 50.""",
    ),
    "refire": Reading(
        title="Skew: what firing again is worth",
        picture="skew",
        text="""\
One peer is late on purpose. With one shot each and routers that refuse, only a skew below D can
succeed; that limit is the dotted line in the picture, and the blue dots end there. From there on
the early peer's SYN is refused and it fires again at once, so the later peer is open one round
trip after its own first SYN, whatever the skew. The early peer is open when its next shot has
crossed, too: that is the saw-tooth, between 2 D and 3 D. Exactly on an edge (20 and 60 ms) either
may happen; and a SYN that comes in within the tenth of a millisecond between a refusal and the next
shot finds the hole closed, is refused as well, and its peer is open a round trip or two later.
Routers that drop in silence let the early peer wait, so the first shot succeeds at any skew; beyond
D it needs the third packet of the later peer, and both are open at 3 D.
Routers that send ICMP do so about once a second for each host (`net.ipv4.icmp_ratelimit`), and
drop in between: after a few shots they are the second kind.""",
    ),
    "grid": Reading(
        title="Delay and loss",
        picture="delay",
        text="""\
How far apart the first SYNs leave has nothing to do with how far they go, so it matters where D is
small: at 1 ms some are refused, fired again, and connected some milliseconds later. (In a guest
both peers share one processor, and the one that fires first keeps the other waiting: those 1 ms are
the guest's. The section on aim has a processor for each.) Loss hits the SYNs, the greeting and the
requests to the rendezvous alike; an early SYN that is lost is not refused, and waits. TCP repeats
a SYN only after a second, but of four pairs one nearly always gets through.""",
    ),
    "clock": Reading(
        title="Clocks",
        text="""\
*Corrected clocks apart* is the truth, which the lab knows since it set the clocks wrong: each
peer's error plus its own correction, one less the other. *Within bounds*: every peer was as near
to the appointed timescale as it said that it would be. With NTP blocked at one peer, both use the
rendezvous's clock; the step is `date -s` by an hour between appointment and instant.""",
    ),
    "speed": Reading(
        title="From the second report to a proven connection",
        text="""\
The second report is the last thing that the rendezvous waits for. From there: the appointment
travels, its lead passes (tens to hundreds of milliseconds, so that both have read it), one round
trip opens the connection, and another one and a half prove both ends. *Imports to connected* is
all that the second user waits for, but for Python's own start: the peers here are forks of one that
has imported everything, each with its own copy of what it will use.""",
    ),
    "meet": Reading(
        title="Without a server",
        text="""\
`midair meet`: two hosts that agreed an hour, or only a secret, and nothing else; no rendezvous
runs. *By time* uses one port again and again, after a pause in which routers forget the connection
before. *By secret* starts the two sides up to 20 s apart; the secret appoints a meeting every 15 s,
and the time is the later side's.""",
    ),
    "unpredictable": Reading(
        title="Where there is no path",
        text="""\
A NAT that draws a random port for every connection cannot be predicted. What is measured is that
both peers say so, each with the same verdict and exit code, and how long they take to.""",
    ),
}
