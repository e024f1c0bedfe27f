"""SD-JWT, SD-JWT VC, and what every token with time claims shares."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class SdJwtMalformed(CredentialError):
    """Not an SD-JWT of RFC 9901, or one that tries to smuggle structure past its reader."""

    code = "ZL-SDJWT-MALFORMED"
    message = "The SD-JWT is malformed: {reason}."
    hint = "Check that it was copied completely; else ask whoever made it for a fresh one."


class SdJwtDisclosureRefused(CredentialError):
    """A disclosure that the signed token does not call for exactly once (RFC 9901 §7.1)."""

    code = "ZL-SDJWT-DISCLOSURE"
    exit_code = ExitCode.REJECTED
    message = "The disclosures do not fit the signed token: {reason}."
    hint = "Something was added or altered on the way. Do not rely on it."


class SdJwtHashUnsupported(CredentialError):
    """`_sd_alg` names a hash that this kernel does not take for secure."""

    code = "ZL-SDJWT-HASH"
    exit_code = ExitCode.REJECTED
    message = "The SD-JWT hides its claims with an unsupported hash."
    hint = "Ask its issuer for one with sha-256, sha-384 or sha-512."


class SdJwtIssueRefused(CredentialError):
    """Claims that cannot be issued as asked."""

    code = "ZL-SDJWT-ISSUE"
    message = "The SD-JWT cannot be issued: {reason}."
    hint = "Correct the claims or the choice of what is selectively disclosable."


class KeyBindingMissing(CredentialError):
    """Key binding is required and the presentation has none, or nothing to bind it to."""

    code = "ZL-KEY-BINDING-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The presentation does not prove who holds the credential."
    hint = "Ask the holder to present it again with key binding."


class KeyBindingUnexpected(CredentialError):
    """An issuer sent a presentation, or a key binding came where none can be."""

    code = "ZL-KEY-BINDING-UNEXPECTED"
    exit_code = ExitCode.REJECTED
    message = "The credential comes with somebody's key binding; an issuer sends none."
    hint = "Take credentials from their issuer only."


class KeyBindingMismatch(CredentialError):
    """The key binding belongs to other disclosures, another token or another holder."""

    code = "ZL-KEY-BINDING"
    exit_code = ExitCode.REJECTED
    message = "The key binding does not belong to what is presented: {reason}."
    hint = "Do not rely on the presentation; ask the holder for a new one."


class KeyBindingStale(CredentialError):
    """The key binding was not made just now (RFC 9901 §7.3 step 5.e)."""

    code = "ZL-KEY-BINDING-STALE"
    exit_code = ExitCode.REJECTED
    message = "The presentation was not made within the last {seconds} seconds."
    hint = "Ask the holder to present again, and check the clocks on both sides."


class TokenExpired(CredentialError):
    """`exp` lies behind (RFC 7519 §4.1.4)."""

    code = "ZL-TOKEN-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The token has expired."
    hint = "Ask for a fresh one."


class TokenNotYetValid(CredentialError):
    """`nbf` lies ahead (RFC 7519 §4.1.5)."""

    code = "ZL-TOKEN-NOT-YET-VALID"
    exit_code = ExitCode.REJECTED
    message = "The token is not valid yet."
    hint = "Check this machine's clock, or come back when it is valid."


class TokenFromFuture(CredentialError):
    """`iat` lies ahead: no honest clock wrote it."""

    code = "ZL-TOKEN-FROM-FUTURE"
    exit_code = ExitCode.REJECTED
    message = "The token says that it was made in the future."
    hint = "Check the clocks on both sides."


class TokenClaimMissing(CredentialError):
    """A claim that must be there is not."""

    code = "ZL-TOKEN-CLAIM-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The token lacks the claim {claim}."
    hint = "Ask for a token that contains or discloses it."


class SdJwtVcMalformed(CredentialError):
    """An SD-JWT that is no SD-JWT VC."""

    code = "ZL-SDJWT-VC"
    message = "The SD-JWT VC is malformed: {reason}."
    hint = "Its issuer must correct and issue the credential again."


class IssuerKeyUnknown(CredentialError):
    """None of the caller's ways to an issuer's key applies to this token."""

    code = "ZL-ISSUER-KEY-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "The key of the token's issuer cannot be found: {reason}."
    hint = "Add the issuer's key, DID document or root certificate, if you trust the issuer."


class IssuerMetadataMalformed(CredentialError):
    """Not JWT VC Issuer Metadata with its keys in it."""

    code = "ZL-ISSUER-METADATA"
    message = "The issuer's metadata is malformed: {reason}."
    hint = "Fetch it again from the issuer; if that fails, tell the issuer."


class CertificateChainRefused(CredentialError):
    """`x5c` does not lead from the signer's key to a root of the caller's."""

    code = "ZL-CERTIFICATE-CHAIN"
    exit_code = ExitCode.REJECTED
    message = "The token's certificates are not acceptable: {reason}."
    hint = "Check the trusted roots and this machine's clock; else do not rely on the token."
