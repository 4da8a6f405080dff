"""The ways to do the work, each in a process of its own; every module has `opened(settings)`."""
