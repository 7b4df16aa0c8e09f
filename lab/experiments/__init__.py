"""The seeds' laboratory: strange things that TCP sockets do, done for real, shown and checked.

Each experiment is a module with ``run()``, which returns a :class:`lab.experiments.report.Report`:
made of captures and of what the kernel's tables say, never of what ought to be.
"""

MODULES = {
    "simultaneous-open": "simultaneous_open",
    "self-connect": "self_connect",
    "one-socket": "one_socket",
    "one-port-many-peers": "one_port_many_peers",
    "dissolve": "dissolve",
    "never-accepted": "never_accepted",
    "spoiled": "spoiled",
}
"""Name → module, in the order in which they are best read."""
