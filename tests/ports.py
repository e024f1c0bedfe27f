"""Ports that stay a test's own while its servers are killed and started again."""

from __future__ import annotations

import socket


def held_port() -> socket.socket:
    """A socket whose port on loopback is given to nobody else until it is closed.

    It is bound and does not listen: whoever names the port and sets SO_REUSEADDR, as every server
    of this project does, may listen there, and without one connections are refused. Who asks the
    system for any free port, to listen or to connect from, gets another.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def number_of(held: socket.socket) -> int:
    """The port."""
    return int(held.getsockname()[1])
