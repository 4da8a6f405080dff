"""A soak of the whole line under random faults: `make chaos` says what was lost, and it must be nothing."""
