"""The rendezvous: the server where two peers meet, learn and get an appointment.

It carries no user data and sees no secret; see :mod:`rendezvous.protocol` for the
contract that it shares with the peers.
"""
