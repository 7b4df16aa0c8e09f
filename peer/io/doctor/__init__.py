"""What ``midair doctor`` looks at: this host's clock, its kernel, and what is in front of it."""
