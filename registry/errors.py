"""Why the chain refuses something, or cannot answer: one class a cause, one root.

`exit_code` says what the cause means to a person: MALFORMED when bytes break their format,
REJECTED when they are well formed and what they claim does not hold, ENVIRONMENT when a server,
disk or lock failed, UNDETERMINED when knowledge is missing. Parameters carry origins, indices,
DIDs of departments and field names; never a key or anything about a citizen.
"""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class RegistryError(ZhenglianError):
    """Root of every error of the chain."""

    code = "ZL-REGISTRY"
    exit_code = ExitCode.ENVIRONMENT
    message = "The chain could not do what was asked."
    hint = "Look at the registry's log for the cause."


# Entries, genesis and submissions


class EntryMalformed(RegistryError):
    """Bytes that are not one entry: not canonical JSON, too large, or against its kind's rule."""

    code = "ZL-ENTRY-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The entry is malformed: {reason}."
    hint = "Correct the entry and submit it again; nothing was added."


class EntryKindUnknown(EntryMalformed):
    """A kind or version that is not in the table. Nobody can check it, so nobody accepts it."""

    code = "ZL-ENTRY-KIND"
    message = "The chain knows no entry of kind {kind!r}."
    hint = "Update this program if the kind is newer than it."


class GenesisInvalid(RegistryError):
    """A genesis file that breaks its rules: wrong quorum, repeated nodes, bad keys."""

    code = "ZL-GENESIS"
    exit_code = ExitCode.MALFORMED
    message = "The genesis is invalid: {reason}."
    hint = "Get the genesis file again from the registry's operator, by a way you trust."


class SubmissionMalformed(RegistryError):
    """A submission whose seal does not fit its entries, or that breaks a size limit."""

    code = "ZL-SUBMISSION-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The submission is malformed: {reason}."
    hint = "Seal the entries again and submit them; nothing was added."


class SealInvalid(RegistryError):
    """The seal's signature does not verify under a key of its submitter."""

    code = "ZL-SEAL-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The seal of {submitter} does not verify: {reason}."
    hint = "Seal with a key that the submitter's accredited DID document lists for assertions."


class NotPermitted(RegistryError):
    """The submitter may not write this entry on this chain at this time."""

    code = "ZL-NOT-PERMITTED"
    exit_code = ExitCode.REJECTED
    message = "{submitter} may not write this on {origin}: {reason}."
    hint = "Ask the registry's operator for the accreditation, or submit to the right chain."


class DuplicateEntries(RegistryError):
    """Some entries of a submission are on the chain already, and some are not."""

    code = "ZL-ENTRY-DUPLICATE"
    exit_code = ExitCode.REJECTED
    message = "Entries {positions} of the submission are on {origin} already, at {indices}."
    hint = "Submit the others without them."


# The sequencer, its nodes and its clients


class OriginUnknown(RegistryError):
    """No chain of this name."""

    code = "ZL-ORIGIN-UNKNOWN"
    exit_code = ExitCode.USAGE
    message = "There is no chain {origin!r} here."
    hint = "`zl registry status` lists the chains."


class EntryUnknown(RegistryError):
    """No entry at this index, or none with this leaf hash."""

    code = "ZL-ENTRY-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "{origin} has no such entry under its present checkpoint."
    hint = "It may be too new: try again in a few seconds."


class ChainInvalid(RegistryError):
    """Entries that are on a chain, or offered for it, and may not be there."""

    code = "ZL-CHAIN-INVALID"
    exit_code = ExitCode.REJECTED
    message = "{origin} is not valid at entry {index}: {reason}."
    hint = "Do not rely on this chain beyond the last cosigned checkpoint; tell its operator."


class RegistryExists(RegistryError):
    """`init` on a home that has a registry or node already."""

    code = "ZL-REGISTRY-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is a registry or node in {path} already."
    hint = "Choose another ZL_HOME; what exists is never overwritten."


class RegistryAbsent(RegistryError):
    """A command that needs an initialized home."""

    code = "ZL-REGISTRY-ABSENT"
    exit_code = ExitCode.USAGE
    message = "There is no registry or node in {path}."
    hint = "Run `zl registry init` or `zl registry node init` first, or set ZL_HOME."


class RegistryUnreachable(RegistryError):
    """None of the registry's addresses answered."""

    code = "ZL-REGISTRY-UNREACHABLE"
    message = "The registry cannot be reached ({reason})."
    hint = "Check the address and the network. What was acknowledged before is safe."


class RegistryMisbehaved(RegistryError):
    """A server answered with something that does not verify against the pinned genesis."""

    code = "ZL-REGISTRY-MISBEHAVED"
    exit_code = ExitCode.REJECTED
    message = "The registry's answer does not verify: {reason}."
    hint = "Do not rely on it. Keep the answer and tell the registry's operator and the nodes."


class SubmissionRefused(RegistryError):
    """The registry answered, and its answer is no."""

    code = "ZL-SUBMISSION-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The registry refused the submission ({cause}): {reason}"
    hint = "Nothing was added. Correct the submission as the reason says."


class QuorumMissing(RegistryError):
    """Fewer nodes have cosigned a checkpoint than the genesis demands."""

    code = "ZL-QUORUM-MISSING"
    exit_code = ExitCode.UNDETERMINED
    message = "The checkpoint has {have} of the {need} cosignatures that it needs."
    hint = "Wait until enough nodes are back; until then rely on the last cosigned checkpoint."


# Proofs of anchors and trust bundles


class AnchorInvalid(RegistryError):
    """A proof that contradicts the cosigned chain: this leaf is not where the proof says."""

    code = "ZL-ANCHOR-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The anchor proof does not lead to the cosigned chain: {reason}."
    hint = "Do not rely on the credential. Its holder can fetch a fresh proof."


class AnchorUnknown(RegistryError):
    """The trust bundle cannot tell: the anchor is newer than it, or the proof is too old."""

    code = "ZL-ANCHOR-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "This trust bundle cannot tell whether the anchor is on the chain: {reason}."
    hint = "Synchronize the trust bundle, or ask the holder to refresh the anchor proof."


class BundleCorrupt(RegistryError):
    """The bundle's container or one of its files is damaged, missing, foreign or too large."""

    code = "ZL-BUNDLE-CORRUPT"
    exit_code = ExitCode.MALFORMED
    message = "The trust bundle is damaged at {part}: {reason}."
    hint = "Fetch or copy it again. Keep using the bundle that you have until then."


class BundleForged(RegistryError):
    """A well-formed bundle whose contents do not verify against the pinned genesis."""

    code = "ZL-BUNDLE-FORGED"
    exit_code = ExitCode.REJECTED
    message = "The trust bundle does not verify at {part}: {reason}."
    hint = "Do not use it. Fetch one from the registry itself, and tell its operator."
