"""Commands of ``midair`` that have a module of their own, each with click only."""
