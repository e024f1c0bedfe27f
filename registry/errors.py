"""What can go wrong in the registry, one class a cause (see `schemas.errors`)."""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class RegistryError(ZhenglianError):
    """Root of the registry's errors."""

    code = "ZL-REGISTRY"
    message = "The registry failed."
    hint = "Look at the registry's log for the cause."


# --- formats -------------------------------------------------------------------------------


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


# --- the log and its store -----------------------------------------------------------------


class EntryTooLarge(RegistryError):
    code = "ZL-ENTRY-SIZE"
    exit_code = ExitCode.MALFORMED
    message = "An entry has {size} bytes; from 1 to {limit} are allowed."
    hint = "Record a digest instead of the document."


class BatchSize(RegistryError):
    code = "ZL-BATCH-SIZE"
    exit_code = ExitCode.MALFORMED
    message = "A batch of {size} entries was given; from 1 to {limit} are allowed."
    hint = "Split the submission."


class EntriesDuplicate(RegistryError):
    code = "ZL-ENTRY-DUPLICATE"
    exit_code = ExitCode.REJECTED
    message = (
        "Part of the batch is in the log already, or twice in the batch: positions {positions}."
    )
    hint = "Submit the new entries only; a batch that is wholly known is answered with its indices."


class OutOfRange(RegistryError):
    code = "ZL-LOG-RANGE"
    exit_code = ExitCode.USAGE
    message = "{what} {asked} lies outside the log, which has {size} entries."
    hint = "Ask for something below the size of the latest checkpoint."


class LogClosed(RegistryError):
    code = "ZL-LOG-CLOSED"
    message = "The log {origin} is closed or has stopped after a failure."
    hint = "Start the registry again; it recovers what was acknowledged."


class LogBusy(RegistryError):
    code = "ZL-LOG-BUSY"
    message = "The log {origin} has {pending} entries waiting and takes no more for now."
    hint = "Try again in a few seconds."


class HeadMoved(RegistryError):
    code = "ZL-LOG-HEAD-MOVED"
    message = "Another writer has moved the head of the log {origin}."
    hint = "Make sure that one sequencer only writes to this store, then start it again."


class CheckpointRefused(RegistryError):
    code = "ZL-LOG-CHECKPOINT-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The checkpoint of {origin} cannot be published: {reason}."
    hint = "Check the store of the log with `zl registry verify`."


class StoreLocked(RegistryError):
    code = "ZL-STORE-LOCKED"
    message = "Another process uses the store {store}."
    hint = "Stop the other process, or open the store for reading only."


class StoreFull(RegistryError):
    code = "ZL-STORE-FULL"
    message = "There is no room left for the store {store}; nothing of this request was recorded."
    hint = "Make room on the disk and submit again. What was acknowledged before is safe."


class StoreFailed(RegistryError):
    code = "ZL-STORE-FAILED"
    message = "The store {store} cannot be read or written: {reason}."
    hint = "Check the disk and the permissions of the folder."


class StoreUnreachable(StoreFailed):
    code = "ZL-STORE-UNREACHABLE"
    message = "The store {store} does not answer: {reason}."
    hint = "Check that its server runs and its address is right; what was acknowledged is safe."


class StoreRefused(StoreFailed):
    code = "ZL-STORE-REFUSED"
    message = "The store {store} refuses this user: {reason}."
    hint = (
        "Check the user, its rights, and its password in the file that PGPASSFILE names or in"
        " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )


class StoreUnsafe(StoreFailed):
    code = "ZL-STORE-UNSAFE"
    message = "The store {store} may lose what it has confirmed: {reason}."
    hint = "Change the setting of the database; a chain is not kept in one that forgets."


class StoreVersion(RegistryError):
    code = "ZL-STORE-VERSION"
    message = "The store {store} has format {found}; this program knows format {known}."
    hint = "Run the version of the program that the other processes on this store run."


class StoreBehind(RegistryError):
    code = "ZL-STORE-BEHIND"
    message = (
        "The store {store} holds {size} entries, but {known} were acknowledged or published before."
    )
    hint = (
        "Do not go on with it: two trees would come of it. Restore a newer backup, or the entries"
        " from a node."
    )


class LeaseHeld(RegistryError):
    code = "ZL-LEASE-HELD"
    message = "Another process writes the chain {origin}: {address}."
    hint = "Ask that process, or wait: this one takes over by itself when the other one ends."


class LeaseLost(RegistryError):
    code = "ZL-LEASE-LOST"
    message = "Another process has taken over the chain {origin}."
    hint = "Submit again to the process that holds it now; nothing of this request was recorded."


class StandingBy(RegistryError):
    code = "ZL-REGISTRY-STANDBY"
    message = "This process stands by and takes no entries; {address} does."
    hint = "Submit to that address. This one takes over by itself when the other one ends."


class TileTaken(RegistryError):
    code = "ZL-TILE-TAKEN"
    message = "Another content stands under {path} in the tile store {store} already."
    hint = "See that no other log uses this place; if none does, remove it: it is made anew."


class BucketMissing(RegistryError):
    code = "ZL-TILES-BUCKET"
    message = "There is no bucket for {store}."
    hint = "Create the bucket, or correct the address with `--tiles`."


class PlaceInvalid(RegistryError):
    code = "ZL-STORE-PLACE"
    exit_code = ExitCode.USAGE
    message = "The place of a store is wrong: {reason}."
    hint = (
        "Write postgresql://host/database for a store and s3://bucket/prefix for tiles; passwords"
        " belong in a file (PGPASSFILE) or in the environment (AWS_SECRET_ACCESS_KEY)."
    )


class StoreMissing(RegistryError):
    code = "ZL-STORE-MISSING"
    message = "There is no store of a log in {store}."
    hint = "Create it with `zl registry init`, or name the right folder."


class StoreExists(RegistryError):
    code = "ZL-STORE-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is a store in {store} already."
    hint = "Choose an empty folder; a log is never overwritten."


class StoreForeign(RegistryError):
    code = "ZL-STORE-FOREIGN"
    message = "The store {store} holds the log {found}, not {expected}."
    hint = "Name the folder of the right log."


class StoreCorrupt(RegistryError):
    code = "ZL-STORE-CORRUPT"
    message = "The store {store} contradicts itself: {reason}."
    hint = "Stop the log, run `zl registry verify`, and restore the store from a mirror."


class TileCorrupt(RegistryError):
    code = "ZL-TILE-CORRUPT"
    message = "The tile {path} does not hash to what the log has committed to; it is not served."
    hint = "Run `zl registry verify` and restore the file from a mirror."


class TileMissing(RegistryError):
    code = "ZL-TILE-MISSING"
    message = "The tile {path} is not there."
    hint = "Ask for a tile of a published size; if it is one, run `zl registry verify`."


class EntryCorrupt(RegistryError):
    code = "ZL-ENTRY-CORRUPT"
    message = "The stored entry {index} does not hash to its leaf; it is not served."
    hint = "Run `zl registry verify` and restore the store from a mirror."


# --- entries, genesis and submissions ------------------------------------------------------


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


# --- the sequencer, its nodes and its clients -----------------------------------------------


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
    message = "The node {node} did not cosign: {reason}"
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


# --- proofs of anchors and trust bundles ----------------------------------------------------


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


# What a credential is worth by a trust bundle (`registry.assurance`)


class BundleStale(RegistryError):
    """The bundle is too old for what it does not say to mean anything."""

    code = "ZL-BUNDLE-STALE"
    exit_code = ExitCode.UNDETERMINED
    message = "The trust bundle is of {as_of}, older than the {days} days allowed."
    hint = "Synchronise, or import a newer trust bundle, and verify again."


class ClockBehind(BundleStale):
    """This machine's clock is before the bundle's time, so no age can be told."""

    code = "ZL-CLOCK-BEHIND"
    message = "This machine's clock is behind the trust bundle of {as_of}; one of them is wrong."
    hint = "Set the clock, then verify again. Nothing was decided."


class IssuerNotAccredited(RegistryError):
    """The chain accredits no such issuer for this type at that time."""

    code = "ZL-ISSUER-UNACCREDITED"
    exit_code = ExitCode.REJECTED
    message = "The chain does not accredit {issuer} to issue this credential."
    hint = "Do not rely on it. Ask the citizen for a credential of an accredited issuer."


class DigestMismatch(RegistryError):
    """A schema or context is not the one whose digest the chain records."""

    code = "ZL-RESOURCE-DIGEST"
    exit_code = ExitCode.REJECTED
    message = "The digest of {what} is not the one on record."
    hint = (
        "The credential refers to another schema or context than this program knows. Update both."
    )


class ResourceUnknown(RegistryError):
    """The bundle records no digest for a schema or context."""

    code = "ZL-RESOURCE-UNKNOWN"
    exit_code = ExitCode.REJECTED
    message = "The chain records no digest for {what}."
    hint = "The registry's operator must record it before credentials can use it."


class CredentialRevoked(RegistryError):
    """The issuer revoked the credential, for good."""

    code = "ZL-STATUS-REVOKED"
    exit_code = ExitCode.REJECTED
    message = "The issuer revoked this credential (status list of {as_of})."
    hint = "The citizen must ask the issuer for a new credential."


class CredentialSuspended(RegistryError):
    """The issuer suspended the credential."""

    code = "ZL-STATUS-SUSPENDED"
    exit_code = ExitCode.REJECTED
    message = "The issuer suspended this credential (status list of {as_of})."
    hint = "A suspension can be lifted: synchronise later, or ask the issuer."


class StatusUnknown(RegistryError):
    """The bundle holds no list for the credential; that says nothing about the credential."""

    code = "ZL-STATUS-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = (
        "The trust bundle holds no status list for this credential, so its status is not known."
    )
    hint = "Synchronise and verify again. This does not mean that it was revoked."


class StatusStale(RegistryError):
    """The list is too old to say that a credential is *not* revoked."""

    code = "ZL-STATUS-STALE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list is of {as_of}, older than the {hours} hours allowed."
    hint = "Synchronise and verify again. This does not mean that the credential was revoked."


class StatusListForeign(RegistryError):
    """The list was signed by another issuer than the credential's."""

    code = "ZL-STATUS-FOREIGN"
    exit_code = ExitCode.REJECTED
    message = "The status list of this credential was signed by another issuer."
    hint = "Do not rely on the credential; tell its issuer."


class AnchorAbsent(RegistryError):
    """The presentation carries no anchor proof."""

    code = "ZL-ANCHOR-ABSENT"
    exit_code = ExitCode.UNDETERMINED
    message = "The presentation carries no proof that the credential is on the chain."
    hint = "Ask the citizen to refresh the wallet, then to answer a new request."


class EntitlementMissing(RegistryError):
    """The chain does not hold this entitlement for this department, type and time."""

    code = "ZL-ENTITLEMENT-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The chain does not entitle this department to ask under {entitlement!r}."
    hint = "Nothing may be read. Ask the registry's operator about the entitlement."


class EntitlementExceeded(RegistryError):
    """More was asked for than the entitlement covers."""

    code = "ZL-ENTITLEMENT-EXCEEDED"
    exit_code = ExitCode.REJECTED
    message = "The entitlement does not cover {names}."
    hint = "Nothing may be read. Ask for less, or have the entitlement changed on the chain."


class RegistryNotNamed(RegistryError):
    """No address was given, and none is on file."""

    code = "ZL-REGISTRY-NOT-NAMED"
    exit_code = ExitCode.USAGE
    message = "No address of a registry is known here."
    hint = "Name it with --registry, set ZL_REGISTRY, or run `zl registry serve` from this home."


# --- watching -------------------------------------------------------------------------------


class EvidenceInvalid(RegistryError):
    """A file of evidence that proves no contradiction."""

    code = "ZL-EVIDENCE"
    exit_code = ExitCode.REJECTED
    message = "The evidence proves nothing: {reason}."
    hint = "Check it against the genesis of the network that it speaks of."


class WatchForeign(RegistryError):
    """A monitor's folder that belongs to another network."""

    code = "ZL-MONITOR-FOREIGN"
    exit_code = ExitCode.USAGE
    message = "The folder {path} belongs to a monitor of another network."
    hint = "Name another folder with --state."


class WatchDamaged(RegistryError):
    """A monitor's state that cannot be read."""

    code = "ZL-MONITOR-STATE"
    message = "The state of the monitor in {path} cannot be read: {reason}."
    hint = "Restore it, or move it away and start anew; evidence files in it stay valid."


class ArchiveMalformed(RegistryError):
    """A file that is not an archive of chains, or not a whole one."""

    code = "ZL-ARCHIVE-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The archive is malformed at {part}: {reason}."
    hint = "Copy it again from where it came from."


class ArchiveForged(RegistryError):
    """An archive whose content does not lead to its cosigned checkpoint."""

    code = "ZL-ARCHIVE-FORGED"
    exit_code = ExitCode.REJECTED
    message = "The archive does not verify at {part}: {reason}."
    hint = "Do not use it. Get one from another node, and keep this one as evidence."


class ArchivePartial(RegistryError):
    """An archive of a part of the chains, where a whole one is needed."""

    code = "ZL-ARCHIVE-PARTIAL"
    exit_code = ExitCode.USAGE
    message = "The archive holds only a part of {origin}; here all of it is needed."
    hint = "Export again without --chain, --from and --to."


class RestoreRefused(RegistryError):
    """A sequencer that would start below what its nodes have cosigned, or without knowing it."""

    code = "ZL-RESTORE-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The sequencer is not restored: {reason}."
    hint = "Two trees must never exist: restore from a node that holds the newest checkpoint."
