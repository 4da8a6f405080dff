"""The producer: folders become jobs, drops are claimed and filed away, what was lost is sent again."""
