"""Files from one peer to the other: the stream, the sender's disk and the receiver's."""
