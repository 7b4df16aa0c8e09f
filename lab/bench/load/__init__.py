"""The rendezvous alone under load: how many pairings a second, and what a waiting peer costs.

``midair-rendezvous`` runs as a user runs it, in one process on one processor; the clients run in
processes of their own on another. They speak HTTP and STUN by themselves, in as few words as
possible, since a real peer's client would be the slower of the two. Everything is on loopback,
and counted before it starts.

A *pairing* is a whole session as the rendezvous sees it: open, wait (parked), join (which wakes
the wait), the address tokens of four ports of each peer, one report (parked), the other report
(which wakes it), both appointments, both leave.
"""
