"""Chips as commented TOML files, and the specification they are checked against."""
