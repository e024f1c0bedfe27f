"""Why a command on a credential's file refuses something that the kernel has no opinion about."""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class VcError(ZhenglianError):
    """Root of the errors of `zl vc`."""

    code = "ZL-VC"
    exit_code = ExitCode.MALFORMED
    message = "The file cannot be used."
    hint = "Name a file that holds one credential."


class VcFileUnusable(VcError):
    """A file that cannot be read or written."""

    code = "ZL-VC-FILE"
    exit_code = ExitCode.USAGE
    message = "{path} cannot be used: {reason}."
    hint = "Check the path, and that you may read or write there."


class NoCredential(VcError):
    """Readable, but nothing that a credential could be written in."""

    code = "ZL-VC-FORM"
    message = "The file holds no credential: {reason}."
    hint = "A credential is JSON, a signed token, a COSE message, or the text of a code."


class StatusSet(VcError):
    """A status list of the issuer's says that the credential does not hold any more."""

    code = "ZL-VC-STATUS-SET"
    exit_code = ExitCode.REJECTED
    message = "The issuer has set the status “{purpose}” of this credential."
    hint = "Do not rely on it. Its issuer can say why."


class StatusUnknown(VcError):
    """The credential has a status, and the list that tells it was not given."""

    code = "ZL-VC-STATUS-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "Whether the credential is revoked stands in a list that was not given."
    hint = "Fetch the list from the address in the credential and name its file: --status-list."


class WholeCredential(VcError):
    """A cryptosuite whose credentials are shown whole or not at all."""

    code = "ZL-VC-WHOLE"
    exit_code = ExitCode.REJECTED
    message = "This credential cannot be shown in part."
    hint = "Only credentials secured with ecdsa-sd-2023 or bbs-2023 can."


class AddressOfNobody(VcError):
    """The key file has no key for this cryptosuite."""

    code = "ZL-VC-CRYPTOSUITE"
    exit_code = ExitCode.USAGE
    message = "There is no key for {name}; there are keys for: {known}."
    hint = "Choose one of these with --cryptosuite."


class OtherIssuer(VcError):
    """The credential names another issuer than the key that is to sign it."""

    code = "ZL-VC-ISSUER"
    exit_code = ExitCode.REJECTED
    message = "The credential names another issuer than the key's: {did}."
    hint = "Leave the issuer out to have it filled in, or choose the key that belongs to it."
