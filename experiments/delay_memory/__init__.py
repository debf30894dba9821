"""Delays on a chip: accuracy against their memory, and delays against a loop: README.md."""
