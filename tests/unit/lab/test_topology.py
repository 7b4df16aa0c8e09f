"""Specs of labs, as values."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.netem import parameters
from lab.router import environment, parse_counters
from lab.topology import (
    ADDRESSES,
    PLAIN,
    AccessSpec,
    LinkSpec,
    Mapping,
    Mode,
    RouterSpec,
    WorldSpec,
)
from lab.wiring import wires

links = st.builds(
    LinkSpec,
    delay_ms=st.floats(0.1, 1000),
    jitter_ms=st.floats(0, 100),
    loss_percent=st.floats(0, 100),
    reorder_percent=st.floats(0, 100),
    rate_mbit=st.floats(0, 1000),
)


@given(links)
def test_half_of_path_when_climbed_and_descended_is_the_path(path: LinkSpec) -> None:
    access = AccessSpec.half_of(path)
    assert access.up.delay_ms + access.down.delay_ms == pytest.approx(path.delay_ms)
    for name in ("jitter_ms", "loss_percent", "reorder_percent"):
        assert getattr(access.up, name) + getattr(access.down, name) == getattr(path, name)
    assert access.up.rate_mbit == access.down.rate_mbit == path.rate_mbit


def test_link_with_reordering_but_no_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="reordering needs a delay"):
        LinkSpec(reorder_percent=1)


def test_link_with_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        LinkSpec(delay_ms=-1)


def test_link_with_loss_above_hundred_percent_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 100 percent"):
        LinkSpec(loss_percent=101)


def test_world_without_a_family_is_refused() -> None:
    with pytest.raises(ValueError, match="IPv4, IPv6 or both"):
        WorldSpec(ipv4=False, ipv6=False)


def test_world_without_delay_needs_no_netem() -> None:
    assert not WorldSpec.symmetric().needs_netem
    assert WorldSpec.symmetric(LinkSpec(delay_ms=1)).needs_netem


@pytest.mark.parametrize(
    ("kind", "mode", "mapping"),
    [
        ("preserving", "nat", "preserving"),
        ("random", "nat", "random"),
        ("firewall", "firewall", "preserving"),
        ("none", "none", "preserving"),
    ],
)
def test_router_named_gives_mode_and_mapping(kind: Mapping, mode: Mode, mapping: Mapping) -> None:
    spec = RouterSpec.named(kind)
    assert (spec.mode, spec.mapping, spec.label) == (mode, mapping, kind)


def test_router_environment_names_every_variable_of_the_script() -> None:
    spec = RouterSpec.named("sequential", answer="icmp", block_ntp=True)
    assert environment(spec, "198.51.100.2") == {
        "WAN": "wan",
        "LAN": "lan",
        "WAN_ADDRESS": "198.51.100.2",
        "MODE": "nat",
        "MAPPING": "sequential",
        "ANSWER": "icmp",
        "BLOCK_NTP": "1",
        "NETEM_UP": "",
        "NETEM_DOWN": "",
    }


def test_parse_counters_reads_a_name_and_a_number_a_line() -> None:
    assert parse_counters("invalid4 0\nunsolicited6 12\n") == {"invalid4": 0, "unsolicited6": 12}


def test_netem_parameters_are_in_microseconds_and_kilobits() -> None:
    words = parameters(LinkSpec(delay_ms=0.5, jitter_ms=0.25, loss_percent=2, rate_mbit=1.5))
    assert words["delay"] == 500
    assert words["jitter"] == 250
    assert words["loss"] == 2
    assert words["rate"] == "1500kbit"


def test_netem_parameters_without_a_rate_do_not_name_one() -> None:
    assert "rate" not in parameters(PLAIN)


def test_wires_of_a_lab_use_no_address_twice_on_one_side() -> None:
    ends = [end for wire in wires(WorldSpec(ipv6=True)) for end in (wire.one, wire.other)]
    # The internet has one address towards all servers; everybody else has his own.
    own = [entry for end in ends if end.role != "internet" for entry in end.addresses]
    assert len(own) == len(set(own))
    for entry in own:
        ip_interface(entry)


def test_addresses_of_side_when_not_translated_look_public() -> None:
    for side in ADDRESSES.values():
        assert side.outside("nat") == side.wan
        assert side.outside("firewall") == side.peer("firewall") == side.public_peer
        assert ip_address(side.peer("nat")).is_private
