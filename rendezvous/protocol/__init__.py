"""The contract between the rendezvous and its peers.

Stdlib and pydantic only, no I/O, nothing else of ours: a peer imports this
package and no other part of the server.
"""
