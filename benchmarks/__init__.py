"""Measures the figures of `goals.toml`: `make bench [GROUP=journey|kernel|…]`."""


class Unmeasurable(Exception):
    """A figure that this machine cannot measure; the text says what is missing."""
