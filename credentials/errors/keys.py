"""Keys, their encodings, and the files that hold them."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class EncodingInvalid(CredentialError):
    """Text that is not strict base64url, base58btc or multibase, or not the only spelling."""

    code = "ZL-ENCODING"
    message = "The {encoding} text is not well formed."
    hint = "Check that the text was copied completely."


class KeyInvalid(CredentialError):
    """Bytes, a multikey or a JWK that is no usable public or private key."""

    code = "ZL-KEY-INVALID"
    message = "The key cannot be used: {reason}."
    hint = "Ask the key's owner for it again, as a multikey or JWK of a supported type."


class KeyfileMalformed(CredentialError):
    """A sealed key file that is damaged, or whose cost parameters are out of bounds."""

    code = "ZL-KEYFILE-MALFORMED"
    message = "The sealed key file is malformed: {reason}."
    hint = "Restore the file from a backup. It may have been altered."


class WrongPassphrase(CredentialError):
    """The passphrase does not open the file, or the file was altered: the cipher cannot tell."""

    code = "ZL-PASSPHRASE-WRONG"
    exit_code = ExitCode.USAGE
    message = "The passphrase does not open this file."
    hint = (
        "Check the keyboard layout and upper and lower case. "
        "If it is surely right, the file was altered."
    )


class PassphraseUnusable(CredentialError):
    """An empty or far too long passphrase."""

    code = "ZL-PASSPHRASE-UNUSABLE"
    exit_code = ExitCode.USAGE
    message = "The passphrase is empty or longer than {limit} bytes."
    hint = "Choose a passphrase of several words."
