"""The shell around the core: one owner for each dirty thing."""
