"""The log, its record and its files."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


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
