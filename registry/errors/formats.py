"""Notes, checkpoints, proofs, policies and tiles that are not what they claim."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


class NoteMalformed(RegistryError):
    code = "ZL-NOTE-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The signed note is malformed: {reason}."
    hint = "Fetch it again; if it stays so, tell whoever published it."


class KeyMalformed(RegistryError):
    code = "ZL-NOTE-KEY"
    exit_code = ExitCode.MALFORMED
    message = "The verifier key is malformed: {reason}."
    hint = "Copy the whole key, from its name to the end of its base64."


class NoteUnsigned(RegistryError):
    code = "ZL-NOTE-UNSIGNED"
    exit_code = ExitCode.REJECTED
    message = "No known key has signed this note."
    hint = "Check that the note belongs to the log whose keys are configured."


class NoteForged(RegistryError):
    code = "ZL-NOTE-FORGED"
    exit_code = ExitCode.REJECTED
    message = "A signature of the known key {name} does not verify."
    hint = "Do not use this note. Keep it as evidence and fetch it again from another node."


class CheckpointMalformed(RegistryError):
    code = "ZL-CHECKPOINT-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The checkpoint is malformed: {reason}."
    hint = "Fetch it again; if it stays so, tell the operator of the log."


class CheckpointForeign(RegistryError):
    code = "ZL-CHECKPOINT-FOREIGN"
    exit_code = ExitCode.REJECTED
    message = "The checkpoint is of the log {found}, not of {expected}."
    hint = "Fetch the checkpoint of the right log."


class ProofMalformed(RegistryError):
    code = "ZL-CHAIN-PROOF-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The proof is malformed: {reason}."
    hint = "Fetch the proof again."


class InclusionInvalid(RegistryError):
    code = "ZL-PROOF-INCLUSION"
    exit_code = ExitCode.REJECTED
    message = "The inclusion proof is wrong: {reason}."
    hint = (
        "Fetch a proof for this entry and this checkpoint again; the entry may have been changed."
    )


class ConsistencyInvalid(RegistryError):
    code = "ZL-PROOF-CONSISTENCY"
    exit_code = ExitCode.REJECTED
    message = "The consistency proof is wrong: {reason}."
    hint = "The log may have been rewritten. Keep both checkpoints as evidence."


class PolicyMalformed(RegistryError):
    code = "ZL-POLICY-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "Line {line} of the trust policy is wrong: {reason}."
    hint = "Correct the policy file."


class QuorumMissing(RegistryError):
    code = "ZL-QUORUM-MISSING"
    exit_code = ExitCode.REJECTED
    message = (
        "Too few nodes have cosigned the checkpoint of {origin}: {found}, and {needed} are needed."
    )
    hint = "Wait until more nodes are running, then fetch the checkpoint again."


class TilePathMalformed(RegistryError):
    code = "ZL-TILE-PATH"
    exit_code = ExitCode.MALFORMED
    message = "This is not the path of a tile: {reason}."
    hint = "Use tile/<level>/<index>[.p/<width>] or tile/entries/<index>[.p/<width>]."


class BundleMalformed(RegistryError):
    code = "ZL-TILE-BUNDLE"
    exit_code = ExitCode.MALFORMED
    message = "The bundle of entries is malformed: {reason}."
    hint = "Fetch the bundle again."
