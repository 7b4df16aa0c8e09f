"""Delay, jitter, loss, reordering and rate on one interface, by the kernel's netem.

Reference: tc-netem(8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.topology import LinkSpec

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_QUEUE_PACKETS = 100_000
"""netem's own 1000 would drop packets of a fast stream: 1.4 GB/s at 20 ms fill this one."""
_HANDLE = 0x10000
"""1:0, so that what was added can be named when it is removed."""


def parameters(link: LinkSpec) -> dict[str, Any]:
    """Translate a link into pyroute2's words for netem."""
    words: dict[str, Any] = {
        "limit": _QUEUE_PACKETS,
        "delay": round(link.delay_ms * 1000),  # µs
        "jitter": round(link.jitter_ms * 1000),
        "loss": link.loss_percent,
        "prob_reorder": link.reorder_percent,
    }
    if link.rate_mbit:
        words["rate"] = f"{round(link.rate_mbit * 1000)}kbit"
    return words


def shape(ipr: IPRoute, index: int, link: LinkSpec) -> None:
    """Make what leaves through interface ``index`` suffer ``link``, and nothing else.

    Args:
        ipr: a netlink socket of the interface's namespace.
        index: the interface's number.
        link: a plain one removes netem.
    """
    present = [
        qdisc for qdisc in ipr.get_qdiscs(index=index) if qdisc.get_attr("TCA_KIND") == "netem"
    ]
    # Removed and made anew even when only a number changes: packets of the past go with it.
    if present:
        ipr.tc("del", "netem", index=index, handle=_HANDLE)
    if not link.is_plain:
        ipr.tc("add", "netem", index=index, handle=_HANDLE, **parameters(link))
