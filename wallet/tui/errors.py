"""Why the terminal app itself refuses something."""

from __future__ import annotations

from schemas.errors import ExitCode
from wallet.errors import WalletError


class FileThere(WalletError):
    """Saving never replaces what its owner has."""

    code = "ZL-TUI-FILE-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is a file of this name already: {path}"
    hint = "Choose another name."


class SaveFailed(WalletError):
    code = "ZL-TUI-SAVE"
    message = "The file could not be saved: {reason}."
    hint = "Choose a folder in which you may write, with room on its disk."


class FieldMissing(WalletError):
    code = "ZL-TUI-FIELD"
    exit_code = ExitCode.USAGE
    message = "This field is still empty: {what}."
    hint = "Fill it in and go on."


class PassphrasesDiffer(WalletError):
    code = "ZL-TUI-PASSPHRASES"
    exit_code = ExitCode.USAGE
    message = "The two passphrases differ."
    hint = "Type the same passphrase twice."
