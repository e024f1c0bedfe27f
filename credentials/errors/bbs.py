"""Why BBS signatures, proofs and commitments are refused."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class BbsMalformed(CredentialError):
    """Octets that are no BBS value: a wrong length, a point outside its subgroup or the
    identity, a scalar that is zero or not reduced."""

    code = "ZL-BBS-MALFORMED"
    message = "The BBS {what} is malformed: {reason}."
    hint = "Ask whoever produced it for a fresh copy."


class BbsIndexesInvalid(CredentialError):
    """Indexes of shown statements that are not ascending, distinct and in range, or that do not
    fit the number of statements which the proof hides."""

    code = "ZL-BBS-INDEXES"
    exit_code = ExitCode.REJECTED
    message = "The proof does not fit the statements that are shown with it."
    hint = "Something was added to or removed from the credential. Do not rely on it."


class BbsCommitmentInvalid(CredentialError):
    """A commitment to hidden values whose maker did not prove to know them."""

    code = "ZL-BBS-COMMITMENT"
    exit_code = ExitCode.REJECTED
    message = "The commitment to the holder's secret is not proven."
    hint = "Ask the wallet for a new commitment; do not sign this one."


class BbsFeatureMismatch(CredentialError):
    """A holder's secrets, or a context, that the credential was not issued for; or none where
    it was issued for them."""

    code = "ZL-BBS-FEATURE"
    message = "The secrets given are not of the kind that the credential was issued for."
    hint = "Use what was committed to when the credential was requested."


class AnchorHidden(CredentialError):
    """A proof that shows no anchor, because an anchor would link its presentations."""

    code = "ZL-ANCHOR-HIDDEN"
    exit_code = ExitCode.UNDETERMINED
    message = "This presentation hides which credential it comes from, so it shows no anchor."
    hint = "Ask for a linkable presentation where the anchor must be checked."
