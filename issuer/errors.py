"""What can go wrong at an issuer, one class a cause.

Parameters name fields, rules, states and record ids; never a name, a number, a code or a key.
"""

from __future__ import annotations

from schemas.errors import ExitCode, MalformedInput, ZhenglianError


class IssuerError(ZhenglianError):
    """Root of every error of this package."""

    code = "ZL-ISSUER"
    message = "The issuer could not do this."
    hint = "See the code of the error in the documentation."


# --- home, keys, store -------------------------------------------------------------------------


class NotInitialised(IssuerError):
    code = "ZL-ISSUER-NOT-INITIALISED"
    exit_code = ExitCode.USAGE
    message = "There is no issuer in {home}."
    hint = "Create one with `zl issuer init`, or point ZL_HOME at the right place."


class AlreadyInitialised(IssuerError):
    code = "ZL-ISSUER-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is already an issuer in {home}."
    hint = "Choose another home; an issuer's keys are never overwritten."


class SettingsMalformed(IssuerError, MalformedInput):
    code = "ZL-ISSUER-SETTINGS"
    exit_code = ExitCode.MALFORMED
    message = "The issuer's settings are not usable: {reason}."
    hint = "Correct the option or the file settings.json in the issuer's home."


class KeyringCorrupt(IssuerError):
    code = "ZL-ISSUER-KEYRING-CORRUPT"
    message = "The issuer's sealed keys opened but do not hold what they should."
    hint = "Restore keys.json in the issuer's home from a backup."


class StoreLocked(IssuerError):
    code = "ZL-ISSUER-STORE-LOCKED"
    message = "Another process is using this issuer's store."
    hint = "One server may serve a store at a time: stop the other one, or wait and try again."


class StoreFull(IssuerError):
    code = "ZL-ISSUER-STORE-FULL"
    message = "The disk under the issuer's home is full; nothing of this operation was kept."
    hint = "Free some space and repeat the operation; what was acknowledged before is safe."


class StoreCorrupt(IssuerError):
    code = "ZL-ISSUER-STORE-CORRUPT"
    message = "The issuer's store is damaged: {reason}."
    hint = "Stop the server and restore the store from a backup."


class StoreUnavailable(IssuerError):
    code = "ZL-ISSUER-STORE-UNAVAILABLE"
    message = "The issuer's store cannot be read or written."
    hint = "Check that the disk is mounted and that the permissions of the issuer's home are right."


class RecordSealBroken(IssuerError):
    code = "ZL-ISSUER-RECORD-SEAL"
    message = "A stored record does not open with this issuer's data key, or was moved or altered."
    hint = "Restore the store and the keys from the same backup."


class AuditChainBroken(IssuerError):
    code = "ZL-ISSUER-AUDIT-BROKEN"
    exit_code = ExitCode.REJECTED
    message = (
        "The operator journal was altered: entry {sequence} does not follow from those before."
    )
    hint = "Keep a copy of the store as evidence and compare it with a backup."


class InsecureAddress(IssuerError):
    code = "ZL-ISSUER-INSECURE-ADDRESS"
    exit_code = ExitCode.USAGE
    message = "Serving {host} without TLS would show applications to the network."
    hint = "Give --tls-certificate and --tls-key, or --behind-proxy if a proxy ends TLS in front."


class AddressUnavailable(IssuerError):
    code = "ZL-ISSUER-LISTEN"
    message = "The address {host}:{port} cannot be served."
    hint = "Choose another port, or stop the process that holds it."


# --- enrolment ---------------------------------------------------------------------------------


class ApplicationMalformed(IssuerError, MalformedInput):
    code = "ZL-APPLICATION-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The application is malformed at {field}: {rule}."
    hint = "Correct the field and apply again."


class ApplicationForged(IssuerError):
    code = "ZL-APPLICATION-SIGNATURE"
    exit_code = ExitCode.REJECTED
    message = "The application's signature does not hold: {reason}."
    hint = "Apply again from the wallet; do not edit a signed application."


class ApplicationReplayed(IssuerError):
    code = "ZL-APPLICATION-REPLAYED"
    exit_code = ExitCode.REJECTED
    message = "This application was already received, or it is too old or from the future."
    hint = "Check the clock of the device and apply again."


class ApplicationRefused(IssuerError):
    code = "ZL-APPLICATION-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The application {application} was refused: {reason}."
    hint = "Compare the application with the citizen's papers; apply again with correct data."


class TooManyWaiting(IssuerError):
    code = "ZL-ISSUER-BUSY"
    message = "Too many applications wait for the authority; no further one is accepted now."
    hint = "Try again when the authority answers again."


class ApplicationsTooFrequent(IssuerError):
    code = "ZL-APPLICATION-TOO-FREQUENT"
    exit_code = ExitCode.REJECTED
    message = "Too many applications were made online for this person today."
    hint = "Apply again tomorrow, or at the counter."


class AuthorityUnreachable(IssuerError):
    code = "ZL-AUTHORITY-UNREACHABLE"
    message = "The authority cannot be reached."
    hint = "The application is kept and asked again; `zl issuer retry` asks at once."


# --- issuance ----------------------------------------------------------------------------------


class OfferInvalid(IssuerError):
    """Unknown, expired, used and locked codes look alike to a stranger (RFC 6749 §5.2)."""

    code = "ZL-OFFER-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The offer is unknown, expired, already used or locked."
    hint = "Ask the issuer for a new offer."


class TransactionCodeMissing(IssuerError):
    code = "ZL-OFFER-CODE-MISSING"
    exit_code = ExitCode.MALFORMED
    message = "The offer needs its transaction code."
    hint = "Enter the code that the issuer sent by the other channel."


class TransactionCodeWrong(IssuerError):
    code = "ZL-OFFER-CODE-WRONG"
    exit_code = ExitCode.REJECTED
    message = "The transaction code is wrong; {left} attempts are left."
    hint = "Compare it with the message from the issuer."


class GrantUnsupported(IssuerError):
    code = "ZL-TOKEN-GRANT"
    exit_code = ExitCode.MALFORMED
    message = "The token request has an unsupported grant type."
    hint = "Only pre-authorized codes are exchanged here."


class TokenRequestMalformed(IssuerError, MalformedInput):
    code = "ZL-TOKEN-REQUEST"
    exit_code = ExitCode.MALFORMED
    message = "The token request is malformed: {reason}."
    hint = "Send the offer's code and the transaction code as a form."


class TokenInvalid(IssuerError):
    code = "ZL-TOKEN-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The access token is missing, unknown or expired."
    hint = "Exchange the offer's code again, or ask for a new offer."


class CredentialRequestMalformed(IssuerError, MalformedInput):
    code = "ZL-CREDENTIAL-REQUEST"
    exit_code = ExitCode.MALFORMED
    message = "The credential request is malformed: {reason}."
    hint = "Send credential_configuration_id and one key proof."


class CredentialConfigurationUnknown(IssuerError):
    code = "ZL-CREDENTIAL-CONFIGURATION"
    exit_code = ExitCode.REJECTED
    message = "This issuer does not offer that credential."
    hint = "Choose one from the issuer's metadata."


class KeyProofInvalid(IssuerError):
    code = "ZL-KEY-PROOF-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The proof of the holder's key does not hold: {reason}."
    hint = "Sign a new proof for this issuer with the key of the application."


class NonceInvalid(IssuerError):
    code = "ZL-KEY-PROOF-NONCE"
    exit_code = ExitCode.REJECTED
    message = "The nonce of the key proof is unknown, expired or already used."
    hint = "Fetch a new nonce and sign again."


class IssuanceDenied(IssuerError):
    code = "ZL-ISSUANCE-DENIED"
    exit_code = ExitCode.REJECTED
    message = "No credential is issued on this grant: {reason}."
    hint = "Ask the issuer for a new offer."


# --- lifecycle ---------------------------------------------------------------------------------


class RecordUnknown(IssuerError):
    code = "ZL-ISSUER-RECORD-UNKNOWN"
    exit_code = ExitCode.USAGE
    message = "There is no record {record}."
    hint = "`zl issuer list` shows the records."


class ReasonUnknown(IssuerError):
    code = "ZL-ISSUER-REASON"
    exit_code = ExitCode.USAGE
    message = "{reason} is not a reason for this operation."
    hint = "Allowed here: {allowed}."


class TransitionForbidden(IssuerError):
    code = "ZL-ISSUER-TRANSITION"
    exit_code = ExitCode.REJECTED
    message = "{record} is {state}, so it cannot be {wanted}."
    hint = "Revocation is final; only a suspended credential can be reinstated."


class StatusListUnknown(IssuerError):
    code = "ZL-STATUS-LIST-UNKNOWN"
    exit_code = ExitCode.USAGE
    message = "This issuer has no status list {number}."
    hint = "Take the address from a credential's credentialStatus."
