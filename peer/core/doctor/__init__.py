"""What ``midair doctor`` makes of what it has seen: plain functions, no network and no clock."""
