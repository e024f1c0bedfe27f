"""Why the VC-API server refuses something that the kernel has no opinion about."""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class VcApiError(ZhenglianError):
    """Root of the server's own errors."""

    code = "ZL-VCAPI"
    exit_code = ExitCode.MALFORMED
    message = "The VC-API server cannot do this."
    hint = "GET / tells the addresses."


class BodyMalformed(VcApiError):
    """The request is not of the form that the operation needs."""

    code = "ZL-VCAPI-REQUEST"
    message = "The request is malformed: {reason}."
    hint = "Send a JSON object with the members that the operation needs."


class BodyTooLarge(VcApiError):
    """The body is longer than the limit; the rest was not read."""

    code = "ZL-VCAPI-TOO-LARGE"
    message = "The request has more than {limit} bytes."
    hint = "Send one document at a time."


class OptionUnknown(VcApiError):
    """An option that the operation does not have; ignoring it could mean ignoring a condition."""

    code = "ZL-VCAPI-OPTION"
    message = "The operation has no option of this name; it has: {known}."
    hint = "Leave the option out."


class FeatureUnavailable(VcApiError):
    """A feature that the cryptosuite of this address does not have."""

    code = "ZL-VCAPI-FEATURE"
    message = "What secures documents at this address does not have the feature."
    hint = "bbs-2023 has anonymous_holder_binding and pseudonym, vc-sd-jwt disclosablePointers."


class CommitmentMissing(VcApiError):
    """A feature and a commitment that do not come together."""

    code = "ZL-VCAPI-COMMITMENT"
    message = "The feature and the holder's commitment do not go together."
    hint = "Send commitmentWithProof, multibase base64url, with a feature that binds the holder."


class IssuerMismatch(VcApiError):
    """The credential or presentation names another party than the key at this address."""

    code = "ZL-VCAPI-PARTY"
    exit_code = ExitCode.REJECTED
    message = "The {role} that the document names is not the one of this address."
    hint = "GET / tells which identifier stands behind which address."


class CredentialRevoked(VcApiError):
    """A status list of this server says that the credential does not hold any more."""

    code = "ZL-VCAPI-STATUS-SET"
    exit_code = ExitCode.REJECTED
    message = "The issuer has set the status {purpose} of this credential."
    hint = "Ask the issuer."


class StatusOutOfReach(VcApiError):
    """The status stands in a list that this server does not publish, and it fetches none."""

    code = "ZL-VCAPI-STATUS-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "The status of the credential stands in a list that is not known here."
    hint = "This says nothing about the credential. Verify it where its status list is known."


class StatusUnknown(VcApiError):
    """No credential of this id with a status of this purpose was issued here."""

    code = "ZL-VCAPI-STATUS-ENTRY"
    exit_code = ExitCode.REJECTED
    message = "No credential with this id and status was issued here since the server started."
    hint = "Issue it with the option statusPurposes, and name its id."


class StatusUnavailable(VcApiError):
    """The key of this address can sign no status list."""

    code = "ZL-VCAPI-STATUS-NONE"
    exit_code = ExitCode.REJECTED
    message = "There is no status list at this address."
    hint = "Use an address whose key is of type P-256, P-384 or Ed25519."


class TooManyIssued(VcApiError):
    """More credentials with a status than the server remembers."""

    code = "ZL-VCAPI-STATUS-FULL"
    exit_code = ExitCode.ENVIRONMENT
    message = "The server remembers the status of {limit} credentials and no more."
    hint = "Start it again."


class AddressUnknown(VcApiError):
    """No such address."""

    code = "ZL-VCAPI-ADDRESS"
    message = "There is nothing at this address."
    hint = "GET / tells the addresses."


class MethodUnknown(VcApiError):
    """The address does not take this HTTP method."""

    code = "ZL-VCAPI-METHOD"
    message = "This address does not take the method."
    hint = "Operations take POST, lists and identifiers GET."


class PortUnavailable(VcApiError):
    """The port cannot be listened on."""

    code = "ZL-VCAPI-PORT"
    exit_code = ExitCode.ENVIRONMENT
    message = "Port {port} of this machine cannot be used."
    hint = "Choose another with --port; 0 takes a free one."


class KeysUnusable(VcApiError):
    """The key file is not one of this server."""

    code = "ZL-VCAPI-KEYS"
    message = "The key file {path} cannot be used: {reason}."
    hint = "Name a file that this command made, or one that does not exist yet."


class ContextFileUnusable(VcApiError):
    """A context that was named on the command line cannot be read."""

    code = "ZL-VCAPI-CONTEXT"
    exit_code = ExitCode.USAGE
    message = "A context cannot be added: {reason}."
    hint = "Write it as URL=FILE; the file holds a JSON object with @context."


class FileUnusable(VcApiError):
    """A file that a command names cannot be read, written or understood."""

    code = "ZL-VCAPI-FILE"
    message = "{path} cannot be used: {reason}."
    hint = "The key file is a verification method with publicKeyJwk, and secretKeyJwk to issue."
