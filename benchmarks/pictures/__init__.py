"""Pictures of digits as people send them, and how many of them are read right."""
