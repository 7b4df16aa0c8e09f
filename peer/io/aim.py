"""From an appointment's pairs to the sockets that fire, without those that nobody should fire."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from peer.core.targets import refusal
from peer.errors import RefusedError
from peer.io.fire import Barrel
from peer.io.hosts import own_networks
from peer.io.sockets import LocalPort
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Pair


def aim(
    pairs: Sequence[Pair],
    ports: Sequence[LocalPort],
    *,
    on_one_host: bool,
    own: Collection[Endpoint],
    own_choice: bool,
) -> list[Barrel]:
    """Choose what to fire at.

    Args:
        pairs: as appointed.
        ports: this peer's.
        on_one_host: loopback is a target like any other.
        own: where this peer itself is.
        own_choice: the targets are named by this peer's user: they are as good as any.

    Returns:
        A barrel for each pair that is fired, at least one.

    Raises:
        RefusedError: this peer fires at none of the targets.
    """
    claims = {(port.family, port.index): port for port in ports}
    networks = own_networks()
    barrels: list[Barrel] = []
    refused: list[str] = []
    numbers: set[int] = set()
    for pair in pairs:
        remote = Endpoint.parse(pair.remote)
        # A socket fires once an attempt, whatever the rendezvous says.
        claim: LocalPort | None = claims.pop((pair.family, pair.port_index), None)
        why = None
        if not own_choice:
            why = refusal(remote, networks, on_one_host=on_one_host, own=own)
        if claim is None or remote.family != pair.family:
            why = f"pair {pair.pair} is none of this peer's ports"
        if pair.pair in numbers:
            why = f"there is another pair {pair.pair}"
        numbers.add(pair.pair)
        if why is not None:
            refused.append(f"{remote}: {why}")
        elif claim is not None:
            barrels.append(Barrel(pair.pair, claim.volley, remote))
    if not barrels:
        raise RefusedError(
            f"the rendezvous appointed only targets that this peer refuses ({refused[0]})",
            "Is it the rendezvous that both sides mean?",
        )
    return barrels
