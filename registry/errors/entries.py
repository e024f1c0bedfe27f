"""Entries, the genesis, submissions and the contracts that permit them."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


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


class ChainClosed(RegistryError):
    """A side chain whose next epoch has begun. All that is on it stays provable."""

    code = "ZL-CHAIN-CLOSED"
    exit_code = ExitCode.REJECTED
    message = "{origin} is closed; {successor} follows it."
    hint = "Submit to the chain that follows."


class ContractMalformed(RegistryError):
    """A policy text that cannot be a contract."""

    code = "ZL-CONTRACT-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The contract {name} cannot stand: {reason}."
    hint = "Correct the policies; docs/contracts.md lists what they can speak of."


class ApproverAbsent(RegistryError):
    """A node whose keys hold none for approvals."""

    code = "ZL-CONTRACT-APPROVER"
    exit_code = ExitCode.USAGE
    message = "The node {node} has no key to approve contracts with."
    hint = "Only nodes that the genesis names with an approval key can approve."


class ContractUnknown(RegistryError):
    """No version of this contract is on the chain."""

    code = "ZL-CONTRACT-UNKNOWN"
    exit_code = ExitCode.USAGE
    message = "There is no contract {name}."
    hint = "`zl registry contract list` shows the contracts of the network."


class ContractForbids(RegistryError):
    """The contracts in force do not allow what is judged off the chains."""

    code = "ZL-CONTRACT-FORBIDS"
    exit_code = ExitCode.REJECTED
    message = "The contracts in force do not allow {action} to {party}: {reason}."
    hint = "`zl registry contract show` tells what they allow; ask the registry's operator."
