"""How fast bytes get through midair on loopback, beside the programs that people use instead.

Every way runs as a user runs it, from the same source into the same sink, in interleaved rounds:
what disturbs the machine disturbs all. A rate counts from the first byte at the sink to the last,
so that no program's start is in it.
"""
