"""Measures the figures of `goals.toml`: `make bench [GROUP=journey|kernel|…]`."""
