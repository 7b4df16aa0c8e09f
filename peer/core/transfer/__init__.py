"""Files from one peer to the other: names, the list of them, messages, and their order."""
