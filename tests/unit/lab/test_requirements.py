"""What the lab says of a machine that lacks something, and small codecs."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lab.ntp import configuration, is_answer
from lab.requirements import Missing, explain


def test_explain_names_each_thing_and_each_package_once() -> None:
    text = explain(
        [
            Missing(what="iptables", package="iptables"),
            Missing(what="ip6tables", package="iptables"),
            Missing(what="chronyd", package="chrony"),
        ]
    )
    first, second = text.splitlines()
    assert first == "the lab needs iptables, ip6tables, chronyd"
    assert second.endswith("apt-get install chrony iptables")


def test_configuration_of_a_time_server_keeps_it_to_itself() -> None:
    lines = configuration(Path("/folder"), ["192.0.2.21"]).splitlines()
    assert {"cmdport 0", "pidfile /folder/pid", "bindaddress 192.0.2.21"} <= set(lines)


def test_is_answer_of_a_synchronised_server() -> None:
    assert is_answer(bytes([0x24, 3]) + bytes(46))


def test_is_answer_refuses_unsynchronised_kiss_of_death_client_and_short() -> None:
    assert not is_answer(bytes([0xE4, 3]) + bytes(46))
    assert not is_answer(bytes([0x24, 0]) + bytes(46))
    assert not is_answer(bytes([0x23, 3]) + bytes(46))
    assert not is_answer(bytes([0x24, 3]))


@given(st.binary(max_size=100))
def test_is_answer_of_arbitrary_bytes_never_raises(data: bytes) -> None:
    is_answer(data)
