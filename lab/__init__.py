"""The lab: NATs, delay, loss and wrong clocks on one machine, and captures to prove claims.

It starts the peers and the rendezvous as programs and reads what they print; it
imports neither.
"""
