"""Why the wallet refuses or fails: one class a cause, one root.

No parameter ever carries a personal value, a passphrase, a code or a token.
"""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class WalletError(ZhenglianError):
    """Root of every error of the wallet."""

    code = "ZL-WALLET"
    message = "The wallet cannot do this."
    hint = "Nothing was changed."


# The vault


class NoVault(WalletError):
    code = "ZL-VAULT-NONE"
    exit_code = ExitCode.USAGE
    message = "There is no wallet in this folder yet."
    hint = "Make one with `zl wallet init`."


class VaultExists(WalletError):
    """Nothing is ever put over an existing vault: its keys could not be got back."""

    code = "ZL-VAULT-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is a wallet in this folder already."
    hint = "Use it, or choose another folder with ZL_HOME."


class WrongPassphrase(WalletError):
    code = "ZL-VAULT-PASSPHRASE"
    exit_code = ExitCode.USAGE
    message = "The passphrase is wrong."
    hint = "Try again in {seconds} s. Each wrong try makes the wait longer."


class BackOff(WalletError):
    """Too early after a wrong passphrase; the passphrase given was not even looked at."""

    code = "ZL-VAULT-BACKOFF"
    exit_code = ExitCode.ENVIRONMENT
    message = "After a wrong passphrase the wallet waits before the next try: {seconds} s are left."
    hint = "Wait that long; the passphrase just given was not tried."


class WeakPassphrase(WalletError):
    code = "ZL-VAULT-WEAK-PASSPHRASE"
    exit_code = ExitCode.USAGE
    message = "The passphrase is too easy to guess: {reason}."
    hint = "Take at least {minimum} characters; several words that do not belong together are good."


class VaultLocked(WalletError):
    """A second process on one vault."""

    code = "ZL-VAULT-LOCKED"
    message = "Another program has this wallet open."
    hint = "Close the other terminal that runs `zl wallet`, then try again."


class VaultFull(WalletError):
    """The disk is full. The change was undone as a whole; everything before it is kept."""

    code = "ZL-VAULT-FULL"
    message = (
        "The disk is full; the wallet could not save this step. What was saved before is intact."
    )
    hint = "Make room on the disk and do the last step again."


class VaultUnwritable(WalletError):
    code = "ZL-VAULT-UNWRITABLE"
    message = "The wallet's folder cannot be read or written ({reason})."
    hint = "Check the folder's owner and rights, and the disk."


class VaultCorrupt(WalletError):
    code = "ZL-VAULT-CORRUPT"
    message = "The wallet's file is damaged: {reason}."
    hint = "Restore a backup with `zl wallet restore`."


class VaultTooNew(WalletError):
    code = "ZL-VAULT-VERSION"
    message = "The wallet was written by a newer version of this program."
    hint = "Update the program."


class BackupCorrupt(WalletError):
    code = "ZL-BACKUP-CORRUPT"
    exit_code = ExitCode.MALFORMED
    message = "The file is not a complete backup of a wallet."
    hint = "Take another copy of it."


# Input


class InputUnreadable(WalletError):
    code = "ZL-WALLET-INPUT"
    exit_code = ExitCode.MALFORMED
    message = "The input cannot be read: {reason}."
    hint = "Give the whole text, a text file, or a picture that shows one code."


class WrongKindOfInput(WalletError):
    """A request where an offer belongs, or the other way round."""

    code = "ZL-WALLET-KIND"
    exit_code = ExitCode.MALFORMED
    message = "This is not {what}."
    hint = "Offers come from an issuer, requests and receipts from a department."


class OneSource(WalletError):
    code = "ZL-WALLET-SOURCE"
    exit_code = ExitCode.USAGE
    message = "Give exactly one of: the text, --file, --image."
    hint = "`--help` shows how."


class ChooseIssuer(WalletError):
    code = "ZL-WALLET-ISSUER"
    exit_code = ExitCode.USAGE
    message = "The chain accredits {count} issuers, so one must be named."
    hint = "`zl wallet issuers` lists them; name one with --issuer."


class UnknownCredential(WalletError):
    code = "ZL-WALLET-NO-CREDENTIAL"
    exit_code = ExitCode.USAGE
    message = "The wallet holds no credential with this identifier."
    hint = "`zl wallet list` shows the identifiers."


class UnknownApplication(WalletError):
    code = "ZL-WALLET-NO-APPLICATION"
    exit_code = ExitCode.USAGE
    message = "The wallet knows no application with this identifier."
    hint = "`zl wallet list` shows the applications."


class UnknownEntry(WalletError):
    code = "ZL-WALLET-NO-ENTRY"
    exit_code = ExitCode.USAGE
    message = "The history has no such entry."
    hint = "`zl wallet history` shows the entries."


# The chain


class NoTrustBundle(WalletError):
    code = "ZL-WALLET-NO-TRUST"
    exit_code = ExitCode.UNDETERMINED
    message = "The wallet has not yet learned from the registry whom to trust."
    hint = "Run `zl wallet refresh` while the registry can be reached."


class TrustBundleOlder(WalletError):
    """An older bundle could hide a revocation or bring back a struck-off department."""

    code = "ZL-WALLET-TRUST-OLDER"
    exit_code = ExitCode.REJECTED
    message = "This trust bundle is older than the one the wallet has."
    hint = "Nothing was changed. Get a fresh bundle."


# Getting a credential


class IssuerNotAccredited(WalletError):
    code = "ZL-ISSUER-NOT-ACCREDITED"
    exit_code = ExitCode.REJECTED
    message = "The issuer at this address is not accredited on the chain."
    hint = "Do not give it any data. If it is new, run `zl wallet refresh` and try again."


class IssuerAddressUnsafe(WalletError):
    """The accredited address itself breaks the wallet's rules (https, or http on loopback)."""

    code = "ZL-ISSUER-ADDRESS"
    exit_code = ExitCode.REJECTED
    message = "The issuer's address on the chain may not be contacted: {reason}."
    hint = "Tell the issuer; its entry on the chain must name an https address."


class IssuerUnreachable(WalletError):
    code = "ZL-ISSUER-UNREACHABLE"
    message = "The issuer does not answer ({reason})."
    hint = "Nothing is lost. Try again later."


class IssuerFailed(WalletError):
    """The issuer answers with a failure of its own (5xx)."""

    code = "ZL-ISSUER-FAILED"
    message = "The issuer could not do its part (status {status}{detail})."
    hint = "Nothing is lost. Try again later; if it stays so, tell the issuer."


class IssuerProtocol(WalletError):
    """An answer that OpenID4VCI 1.0 does not allow."""

    code = "ZL-ISSUER-PROTOCOL"
    exit_code = ExitCode.MALFORMED
    message = "The issuer's answer cannot be used: {reason}."
    hint = "Tell the issuer; nothing was stored."


class ApplicationRefused(WalletError):
    code = "ZL-APPLICATION-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The issuer refused the application ({reason})."
    hint = "Check the data you gave against your identity card and apply again."


class ApplicationNotConfirmed(ApplicationRefused):
    """The authority's answer was no. Which field differs is not told, so nothing can be fished."""

    code = "ZL-APPLICATION-NOT-CONFIRMED"
    message = "The authority did not confirm the data of the application."


class ApplicationMalformed(WalletError):
    code = "ZL-APPLICATION-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The application is malformed at {field}: {rule}."
    hint = "Correct the field and apply again."


class ApplicationInput(WalletError):
    """What came as application is no JSON object; nothing was sent."""

    code = "ZL-APPLICATION-INPUT"
    exit_code = ExitCode.MALFORMED
    message = "The application's data is not a JSON object."
    hint = (
        "Give a JSON object with name, citizenNumber, sex, birthDate, ethnicity and division,"
        " with --file or on standard input."
    )


class ClockWrong(WalletError):
    """The issuer finds a signed time too far from its own."""

    code = "ZL-APPLICATION-REPLAYED"
    exit_code = ExitCode.REJECTED
    message = "The issuer found the application too old, from the future, or received before."
    hint = "Check the clock of this device and apply again."


class OfferExpired(WalletError):
    code = "ZL-OFFER-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The offer has expired."
    hint = "Ask the issuer for a new offer."


class OfferReused(WalletError):
    code = "ZL-OFFER-REUSED"
    exit_code = ExitCode.REJECTED
    message = "The offer was used already."
    hint = "If you did not use it, tell the issuer at once. Else ask for a new offer."


class OfferInvalid(WalletError):
    """The issuer does not say which: expired, used, or never made (RFC 6749 §5.2)."""

    code = "ZL-OFFER-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The issuer no longer accepts this offer: it has expired or was used."
    hint = "Ask the issuer for a new offer."


class TxCodeWrong(WalletError):
    code = "ZL-TX-CODE-WRONG"
    exit_code = ExitCode.REJECTED
    message = "The transaction code is wrong."
    hint = "Take the code from the issuer's message to you. A few wrong tries end the offer."


class TxCodeNeeded(WalletError):
    code = "ZL-TX-CODE-NEEDED"
    exit_code = ExitCode.USAGE
    message = "This offer needs the transaction code that the issuer sent you."
    hint = "Give it with --tx-code-file, or type it in."


class TokenEnded(WalletError):
    """The issuer no longer takes the access token of this issuance."""

    code = "ZL-ISSUANCE-TOKEN"
    exit_code = ExitCode.REJECTED
    message = "The issuer ended this issuance before the credential was fetched."
    hint = "Ask the issuer for a new offer."


class CredentialUnexpected(WalletError):
    """What came is not what was offered, or not what this wallet may accept."""

    code = "ZL-CREDENTIAL-UNEXPECTED"
    exit_code = ExitCode.REJECTED
    message = "The issuer sent something else than it offered: {reason}."
    hint = "Nothing was stored. Tell the issuer."


# Answering a request


class RequestAnswered(WalletError):
    """One nonce, one answer: a second copy would be a replay at the desk."""

    code = "ZL-WALLET-REQUEST-ANSWERED"
    exit_code = ExitCode.REJECTED
    message = "This request was answered already."
    hint = "Ask the department for a new one."


class VerifierNotAccredited(WalletError):
    code = "ZL-VERIFIER-NOT-ACCREDITED"
    exit_code = ExitCode.REJECTED
    message = "Whoever asks is not an accredited department on the chain."
    hint = "The wallet does not answer. If the department is new, run `zl wallet refresh`."


class RequestExceedsEntitlement(WalletError):
    code = "ZL-REQUEST-EXCEEDS"
    exit_code = ExitCode.REJECTED
    message = "The department asks for more than the chain entitles it to."
    hint = "You may refuse. To show it nevertheless you must say so expressly."


class CannotAnswer(WalletError):
    code = "ZL-REQUEST-NO-MATCH"
    exit_code = ExitCode.REJECTED
    message = "This credential cannot answer the request ({reason})."
    hint = "Choose another credential, or refuse."


class ConsentNeeded(WalletError):
    code = "ZL-CONSENT-NEEDED"
    exit_code = ExitCode.USAGE
    message = "Nothing is shown to anybody without your consent."
    hint = "Read what `zl wallet inspect` says and give --yes."


# Receipts


class ReceiptInvalid(WalletError):
    code = "ZL-RECEIPT-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The receipt does not hold: {reason}."
    hint = "Ask the department for its receipt again; keep the file if it refuses."


class ReceiptUnmatched(WalletError):
    """Signed by a department, but for no presentation of this wallet."""

    code = "ZL-RECEIPT-UNMATCHED"
    exit_code = ExitCode.REJECTED
    message = "The receipt is for no presentation in this wallet's history."
    hint = "It may belong to another wallet, or the entry was deleted from the history."


class NoReceipt(WalletError):
    code = "ZL-RECEIPT-NONE"
    exit_code = ExitCode.USAGE
    message = "No receipt is held for this presentation, so there is nothing signed to show."
    hint = "Import the department's receipt with `zl wallet receipt import`."
