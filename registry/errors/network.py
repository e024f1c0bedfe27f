"""The sequencer, its nodes and their clients."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


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
    evidence: tuple[bytes, ...] = ()  # the leaves in question, for the record of refusals


class KeyringMalformed(RegistryError):
    """A key file of a registry or node whose content is not one."""

    code = "ZL-REGISTRY-KEYS"
    exit_code = ExitCode.MALFORMED
    message = "The key file in {path} is damaged."
    hint = "Restore it from your copy."


class KeyMissing(RegistryError):
    """A chain is registered whose log key this sequencer does not have."""

    code = "ZL-REGISTRY-KEY-MISSING"
    exit_code = ExitCode.ENVIRONMENT
    message = "There is no key for the chain {origin} in this home."
    hint = "Restore the key file of the home from your copy."


class NodeAddress(RegistryError):
    """An address of a node that is none, or of no node of the genesis."""

    code = "ZL-NODE-ADDRESS"
    exit_code = ExitCode.USAGE
    message = "{address} is not an address of a node of this network."
    hint = "Write NAME=URL, with a name that the genesis has and an http(s) address."


class FileUnreadable(RegistryError):
    """A file named on the command line that does not hold what it should."""

    code = "ZL-REGISTRY-FILE"
    exit_code = ExitCode.MALFORMED
    message = "The file {path} cannot be used: {reason}."
    hint = "Check that it is the file that was meant."


class PortTaken(RegistryError):
    """The address to listen on cannot be had."""

    code = "ZL-REGISTRY-PORT"
    message = "{host} port {port} cannot be listened on."
    hint = "Choose another port, or 0 for any free one."


class CosignatureMissing(RegistryError):
    """A node did not cosign; `reason` says why."""

    code = "ZL-NODE-REFUSED"
    message = "The node {node} did not cosign: {reason}."
    hint = "Look at the node's log. The others go on as long as they make a quorum."


class NodeBusy(RegistryError):
    """A node is still checking an earlier checkpoint."""

    code = "ZL-NODE-BUSY"
    message = "The node is still checking an earlier checkpoint."
    hint = "Try again in a few seconds."


class NodeRecovering(RegistryError):
    """A node that lost its record, or found that it is old, and does not cosign yet."""

    code = "ZL-NODE-RECOVERING"
    message = "The node does not cosign yet: {reason}."
    hint = "Let it run. It asks the others what it may have cosigned, and catches up with that."


class WitnessKeyAbsent(RegistryError):
    """A node that was set up without keys for logs of others is asked to cosign one."""

    code = "ZL-NODE-WITNESS-KEY"
    exit_code = ExitCode.USAGE
    message = "The node {node} has no keys to cosign logs of others."
    hint = "Set up a node anew with `zl registry node init`; it makes them."


class NodeForked(RegistryError):
    """Two trees of one main chain, each signed by the log: the sequencer is dishonest."""

    code = "ZL-NODE-FORK"
    exit_code = ExitCode.REJECTED
    message = "Two different trees of {origin} were signed, of {size} entries or more."
    hint = "Keep both checkpoints as evidence, stop relying on the sequencer, and tell the others."


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
