"""What the speed of packets allows, and what chance does to a share: the lines in the pictures.

All times are in ms after the later peer's first SYN left. D is the delay one way between routers,
and a host is taken to need no time itself. Pure.
"""

from __future__ import annotations

import math

from lab.topology import Answer

Z_95 = 1.959964
"""Standard deviations on each side of the middle that hold 95 % of a normal distribution."""


def one_shot_suffices(answer: Answer, skew_ms: float, delay_ms: float) -> bool:
    """Tell whether one SYN each opens the connection.

    A router that drops the early SYN lets it go on waiting. One that refuses it ends it, unless
    the later peer's own SYN has already left through that router.
    """
    return answer == "drop" or skew_ms < delay_ms


def later_open_ms(delay_ms: float) -> float:
    """Return when the later peer is open: its SYN goes there, the SYN-ACK comes back."""
    return 2 * delay_ms


def both_open_ms(answer: Answer, skew_ms: float, delay_ms: float) -> float:
    """Return when both peers are open.

    Args:
        answer: of both routers to a SYN that nobody asked for.
        skew_ms: how much later one peer fires; not negative.
        delay_ms: D; not 0.

    Returns:
        * 2 D while the early SYN still finds its way (the skew is below D);
        * with routers that drop, 3 D from there on: the early SYN is lost, so its sender waits
          for the last of three packets that the later peer began;
        * with others between 2 D and 3 D: shot k of the early peer leaves at 2 D k, k = 0, 1, …,
          and its answer is there 2 D later. The first one to arrive after the later SYN left
          through that router counts.
    """
    if skew_ms < delay_ms:
        return 2 * delay_ms
    if answer == "drop":
        return 3 * delay_ms
    shot = math.floor((skew_ms - delay_ms) / (2 * delay_ms)) + 1
    return max(2 * delay_ms, 2 * delay_ms * (shot + 1) - skew_ms)


def interval(hits: int, runs: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share, by Wilson's score.

    Args:
        hits: how often it was so.
        runs: of how many; at least 1.

    Reference: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
        J. Am. Stat. Assoc. 22 (1927), 209-212.
    """
    share, z2 = hits / runs, Z_95**2
    middle = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = Z_95 * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs**2)) / (1 + z2 / runs)
    return max(0.0, middle - half), min(1.0, middle + half)
