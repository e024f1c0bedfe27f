"""Where the nodes are: a file beside the sequencer's stores that may change while it runs.

Addresses are not on the chain. A wrong one does no harm: cosignatures count by their keys.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from registry.errors import FileUnreadable, NodeAddress
from registry.ledger.genesis import Genesis
from registry.ledger.members import is_url
from registry.witnessing.cosigning import HttpNode, NodeLink
from schemas.durable import replace_file

FILE: Final = "nodes.json"


def parse_address(text: str, genesis: Genesis) -> tuple[str, str]:
    """Name and URL out of `NAME=URL`; raises NodeAddress."""
    name, equals, url = text.partition("=")
    if not equals or name not in {node.name for node in genesis.nodes} or not is_url(url):
        raise NodeAddress(address=text)
    return name, url


def read_addresses(home: Path) -> dict[str, str]:
    """The addresses by node name; none before the first is set."""
    path = home / FILE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileUnreadable(path=path, reason=os.strerror(error.errno or 0)) from error
    except ValueError as error:
        raise FileUnreadable(path=path, reason="it is not JSON") from error
    if not isinstance(found, dict) or not all(is_url(url) for url in found.values()):
        raise FileUnreadable(path=path, reason="it does not hold names and addresses")
    return found


def write_addresses(home: Path, addresses: Mapping[str, str]) -> None:
    """Set addresses; those of other nodes stay."""
    whole = {**read_addresses(home), **addresses}
    replace_file(home / FILE, json.dumps(whole, indent=1).encode() + b"\n", mode=0o644)


class NodeLinks:
    """Links to the nodes by the addresses on file, renewed when the file changes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._links: dict[str, HttpNode] = {}

    def __call__(self) -> Mapping[str, NodeLink]:
        with self._lock:
            try:
                found = (self._home / FILE).stat()
            except OSError:
                return dict(self._links)
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                addresses = read_addresses(self._home)
                for name, link in list(self._links.items()):
                    if addresses.get(name) != link.url:
                        del self._links[name]  # a request under way keeps its connection
                for name, url in addresses.items():
                    if name not in self._links:
                        self._links[name] = HttpNode(url)
                self._stamp = stamp
            return dict(self._links)
