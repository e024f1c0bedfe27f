"""The wallet's encrypted file: opening it, changing it, backing it up."""

from wallet.vault.backup import restore_backup, write_backup
from wallet.vault.database import Vault

__all__ = ["Vault", "restore_backup", "write_backup"]
