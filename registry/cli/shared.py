"""What the command files of the registry share: options, files, connections, printing."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from registry.client import RegistryClient
from registry.errors import FileUnreadable, RegistryAbsent, RegistryNotNamed
from registry.keyring import is_sealed
from registry.ledger.genesis import GENESIS_FILE, Genesis
from schemas.home import role_home
from schemas.passphrase import read_passphrase
from schemas.texts import Texts

ADDRESS_FILE: str = "address"
MAX_JSON: int = 256 * 1024
URL_VARIABLE: str = "ZL_REGISTRY"


def utc_now() -> datetime:
    """The clock at the edge."""
    return datetime.now(UTC)


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once: a pipe's reader may be waiting for it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for a person."""
    typer.echo(text)
    sys.stdout.flush()


def home() -> Path:
    """The sequencer's folder."""
    return role_home("registry")


def load_genesis(path: Path | None) -> Genesis:
    """The pinned genesis, named or of this home. Raises RegistryAbsent, GenesisInvalid."""
    if path is None and not (home() / GENESIS_FILE).exists():
        raise RegistryAbsent(path=home())
    return Genesis.load(path or home() / GENESIS_FILE)


def unlock(_: Texts, folder: Path, secret: Path | None) -> str | None:
    """The passphrase of the keys in `folder`; None when they are not sealed."""
    if not is_sealed(folder):
        return None
    return read_passphrase(secret, prompt=_("Passphrase of the keys"))


def addresses(urls: list[str] | None, *, needed: bool = True) -> list[str]:
    """The addresses given, else the environment's, else the one on file.

    Raises RegistryNotNamed when there is none and one is `needed`.
    """
    found = urls or os.environ.get(URL_VARIABLE, "").split()
    if not found:
        try:
            found = [(home() / ADDRESS_FILE).read_text(encoding="utf-8").strip()]
        except OSError as error:
            if needed:
                raise RegistryNotNamed from error
    return found


def connect(urls: list[str] | None, genesis: Path | None) -> RegistryClient:
    """A client for `addresses`."""
    return RegistryClient(addresses(urls), load_genesis(genesis))


def read_bytes(path: Path, limit: int) -> bytes:
    """A file that somebody handed in, of at most `limit` bytes. Raises FileUnreadable."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise FileUnreadable(path=path, reason=os.strerror(error.errno or 0)) from error
    if len(data) > limit:
        raise FileUnreadable(path=path, reason="it is too large")
    return data


def read_json(path: Path) -> Any:
    """A small JSON file that somebody handed in, `-` for standard input."""
    try:
        if str(path) == "-":
            text = sys.stdin.read(MAX_JSON + 1)
        else:
            with path.open(encoding="utf-8") as stream:
                text = stream.read(MAX_JSON + 1)
        if len(text) > MAX_JSON:
            raise FileUnreadable(path=path, reason="it is too large")
        return json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise FileUnreadable(path=path, reason="it is not readable JSON") from error
