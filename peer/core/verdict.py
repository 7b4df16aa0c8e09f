"""What a miss means: from the volley's counts to one word, and from the word to a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from peer.errors import AuthenticationError, MidairError, NoPathError
from rendezvous.protocol.messages import Reason

Who = Literal["you", "partner", "both"]

_WHOSE: dict[Who, str] = {
    "you": "your NAT",
    "partner": "your partner's NAT",
    "both": "both NATs",
}

_WHOSE_OWN: dict[Who, str] = {"you": "your", "partner": "your partner's", "both": "the"}

_SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.REFUSED_EARLY: (
        "every SYN was refused, and your partner's never came",
        "A firewall on the way may refuse TCP from outside altogether: try from another network",
    ),
    Reason.REFUSED_LATE: (
        "every SYN was refused although your partner had started before you",
        "Something beside the NAT refuses: a firewall of the host or the provider",
    ),
    Reason.UNREACHABLE: (
        "the network says that there is no way to your partner's address",
        "Check that both hosts have the address family in common and are not on separated networks",
    ),
    Reason.SILENT: (
        "no SYN was answered in any way",
        "A firewall drops unsolicited and solicited TCP alike: try from another network",
    ),
    Reason.MAPPING_CHANGED: (
        "the public address of this host changed while the peers were connecting",
        "Use a provider or a NAT that keeps one address for a customer",
    ),
    Reason.MAPPING_UNPREDICTABLE: (
        "{whose} give{s} every connection a new port (address-and-port-dependent mapping), "
        "so nobody can say where to aim",
        "Set the NAT to keep ports (endpoint-independent mapping, RFC 5382 REQ-1), "
        "or connect from another network",
    ),
    Reason.NO_COMMON_FAMILY: (
        "one peer has only IPv4 and the other only IPv6",
        "One of them needs the other's family",
    ),
    Reason.NO_CANDIDATES: (
        "{whose} show{s} no address that could be told to the other side",
        "The reflector's ports must be reachable from both hosts over TCP",
    ),
    Reason.CLOCK_UNCERTAIN: (
        "the clocks are known too badly to agree an instant",
        "Allow UDP to an NTP server and name it with --ntp",
    ),
    Reason.PORT_IN_USE: ("{whose_own} local ports are in use", "Choose others with --local-port"),
    Reason.FORBIDDEN: (
        "{whose_own} host does not let the SYNs out",
        "A firewall on that host itself forbids them: see its rules for outgoing TCP",
    ),
    Reason.APPOINTMENT_LATE: (
        "the appointment arrived when it was over",
        "The connection to the rendezvous is too slow or breaks: try again",
    ),
    Reason.BUDGET_SPENT: (
        "the limit of SYNs was reached before the two sides met",
        "The two peers started too far apart in time: check the clocks, and try again",
    ),
    Reason.NOT_SELECTED: (
        "a connection opened, but the far end broke it or never proved to be your partner",
        "Try again; if it stays so, something on the way resets new connections, or answers itself",
    ),
    Reason.NO_RELAY: (
        "your partner wants no relay, or could not use it",
        "The other side says which; --relay must fit on both sides",
    ),
    Reason.TIMEOUT: ("your partner's time was over", "Start both sides within the time given"),
    Reason.INTERRUPTED: ("your partner was stopped by its user", "Ask them to start again"),
    Reason.DONE: ("your partner has left", "Start again on both sides, with a new code"),
}

_NOT_PROVEN = (
    (
        "whoever answered at your partner's address could not prove to be your partner, or the "
        "rendezvous told the two of you different things",
        "Start again on both sides, with a new code; if it stays so, use another rendezvous",
    ),
    (
        "your partner could not be sure that you are its partner: the two codes are not the same, "
        "or somebody is interfering",
        "This code is used up: run `midair listen` again and copy the new one exactly",
    ),
)
"""How this peer found it, and how its partner did."""


def explain(reason: Reason, who: Who) -> MidairError:
    """Turn a reason into the error that ends the session.

    Args:
        reason: one word of the closed list.
        who: whose fault it is, where it is somebody's.

    Returns:
        The error, with its sentence, hint and exit code.
    """
    if reason is Reason.AUTHENTICATION:
        return AuthenticationError(*_NOT_PROVEN[who == "partner"])
    what, hint = _SENTENCES[reason]
    plural = "" if who == "both" else "s"
    words = {"whose": _WHOSE[who], "whose_own": _WHOSE_OWN[who], "s": plural}
    return NoPathError(reason, f"no path: {what.format(**words)}", hint)


_WHO_HAS_NO_RELAY: dict[Literal["you", "partner", "rendezvous"], tuple[str, str]] = {
    "you": (
        "your partner wants a relay and nothing else (--relay only), and you want none",
        "Leave out --relay never here, or --relay only there",
    ),
    "partner": (
        "you want a relay and nothing else (--relay only), and your partner wants none",
        "Leave out --relay only here, or --relay never there",
    ),
    "rendezvous": (
        "only a relay was asked for (--relay only), and this rendezvous has none",
        "Leave out --relay only, or use a rendezvous whose operator has not switched its relay off",
    ),
}


def no_relay(who: Literal["you", "partner", "rendezvous"]) -> NoPathError:
    """Say that only a relay was wanted, and there cannot be one.

    Args:
        who: does not want one, or has none.
    """
    what, hint = _WHO_HAS_NO_RELAY[who]
    return NoPathError(Reason.NO_RELAY, f"no path: {what}", hint)


def not_relayed(verdict: MidairError | None, what: str, hint: str) -> NoPathError:
    """Say why there is neither a path nor a relay.

    Args:
        verdict: why there is no path; None: none was wanted.
        what: what was the matter with the relay.
        hint: what the user can do about it; empty: what the verdict says.

    Returns:
        One error that says both.
    """
    if verdict is None:
        return NoPathError(Reason.NO_RELAY, f"no relay: {what}", hint)
    reason = verdict.reason if isinstance(verdict, NoPathError) else Reason.NO_RELAY
    return NoPathError(
        reason, f"{verdict.what}; and not over the relay: {what}", hint or verdict.hint
    )


def classify_miss(
    *,
    shots: int,
    refusals: int,
    unreachable: int,
    budget_spent: bool,
    greetings: Mapping[Reason, int],
    early: bool,
    in_use: int = 0,
    forbidden: int = 0,
    clock_unknown: bool = False,
) -> Reason:
    """Name why an attempt missed.

    Args:
        shots: SYNs sent.
        refusals: how many were refused, by RST or ICMP.
        unreachable: how many of those by *no route*, *network* or *host unreachable*.
        budget_spent: whether the SYN budget ended the volley.
        greetings: opened connections that nobody kept, by reason.
        in_use: pairs whose local port another connection had.
        forbidden: pairs that this host itself did not let out.
        clock_unknown: whether this peer's clock may be wrong by as much as the attempt lasts.
        early: whether this peer's first shot was refused before the partner could have fired.

    Returns:
        One word of the closed list.
    """
    if greetings.get(Reason.AUTHENTICATION):
        return Reason.AUTHENTICATION
    if greetings:
        return Reason.NOT_SELECTED
    if shots == 0:
        return Reason.APPOINTMENT_LATE
    if shots == in_use + forbidden:
        return Reason.PORT_IN_USE if in_use else Reason.FORBIDDEN
    if clock_unknown:
        return Reason.CLOCK_UNCERTAIN
    if budget_spent:
        return Reason.BUDGET_SPENT
    if shots and refusals == 0:
        return Reason.SILENT
    if unreachable and unreachable == refusals:
        return Reason.UNREACHABLE
    return Reason.REFUSED_EARLY if early else Reason.REFUSED_LATE
