"""The line on several hosts: each with a network, an address and a name of its own, and a folder that they share."""
