"""What the tests of getting a credential share: an offer, and what a wallet has kept."""

from __future__ import annotations

from tests.wallet.conftest import ISSUER, Town
from wallet.service import Wallet


def offered(town: Town, wallet: Wallet) -> str:
    application = wallet.apply(ISSUER, town.citizen)
    assert application.offer is not None
    return application.offer


def keys_held(wallet: Wallet) -> int:
    return len(wallet._vault.execute("SELECT id FROM keys"))


def everything_stored(wallet: Wallet) -> str:
    vault = wallet._vault
    tables = [row[0] for row in vault.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    return repr([vault.execute(f"SELECT * FROM {table}") for table in tables])  # noqa: S608
