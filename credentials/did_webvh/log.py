"""Verifying a did:webvh log.

Guarantees, against whoever serves or alters a log: every entry was signed by a key that the
history before it authorizes, hangs by its hash on the entry before, back to the first, whose hash
is part of the name; where entries must be witnessed, they were. One entry that fails makes the
whole log fail: nothing is salvaged from it.

Not guaranteed: that the log is complete. A server that leaves the newest entries out shows an
older, valid state; witnesses and watchers exist against that, and so does asking again.

Source: did:webvh 1.0, "Read (Resolve)" and the sections that it names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.canonical.jcs import canonical_json
from credentials.canonical.strict_json import parse_json_object
from credentials.did_webvh.names import SCID, WebvhName, parse_webvh
from credentials.did_webvh.parameters import BadParameter, Parameters, after, first, multihash
from credentials.did_webvh.proofs import check_proof
from credentials.did_webvh.witnesses import check_witnesses
from credentials.dids import DidDocument, VerificationMethod, split_key_url
from credentials.errors import (
    DidDeactivated,
    DidMalformed,
    DidMethodUnsupported,
    DidUnknown,
    LimitExceeded,
    WebvhLogInvalid,
    WebvhVersionUnknown,
)
from credentials.limits import MAX_JSON_BYTES
from credentials.timestamps import format_timestamp, parse_timestamp

MAX_ENTRIES: Final = 1_000
"""Entries of one log: each costs a signature and two hashes, some 0.5 ms."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far an entry may be dated ahead of `now`; the specification says no more than this."""

_MEMBERS: Final = frozenset({"versionId", "versionTime", "parameters", "state", "proof"})
_VERSION: Final = re.compile(rf"(?P<number>[1-9][0-9]{{0,8}})-(?P<hash>{SCID.pattern})", re.ASCII)
_PLACEHOLDER: Final = "{SCID}"


@dataclass(frozen=True)
class WebvhVersion:
    """One version of the DID document, as its entry gives it."""

    id: str
    number: int
    time: datetime
    document: Mapping[str, Any]
    parameters: Parameters

    def did_document(self) -> DidDocument:
        """The document by this kernel's rules. Raises DidDocumentMalformed, KeyInvalid."""
        return DidDocument.parse(self.document)


@dataclass(frozen=True)
class WebvhLog:
    """A log that `verify_log` accepted, for the name `did`."""

    did: str
    versions: tuple[WebvhVersion, ...]

    @property
    def latest(self) -> WebvhVersion:
        return self.versions[-1]

    @property
    def deactivated(self) -> bool:
        return self.latest.parameters.deactivated

    def current(self) -> WebvhVersion:
        """The version in force. Raises DidDeactivated."""
        if self.deactivated:
            raise DidDeactivated(did=self.did)
        return self.latest

    def version(
        self, *, id: str | None = None, number: int | None = None, time: datetime | None = None
    ) -> WebvhVersion:
        """The version of that id, of that number, or in force at `time`; also of a deactivated
        name. Raises WebvhVersionUnknown."""
        found = [
            version
            for version in self.versions
            if (id is None or version.id == id)
            and (number is None or version.number == number)
            and (time is None or version.time <= time)
        ]
        if not found:
            raise WebvhVersionUnknown(did=self.did)
        return found[-1]

    def metadata(self, version: WebvhVersion) -> dict[str, Any]:
        """The DID document metadata of `version`, as DID Resolution has it."""
        latest = self.latest.parameters
        rule = latest.witness
        return {
            "versionId": version.id,
            "versionTime": format_timestamp(version.time),
            "created": format_timestamp(self.versions[0].time),
            "updated": format_timestamp(self.latest.time),
            "scid": latest.scid,
            "portable": latest.portable,
            "deactivated": latest.deactivated,
            "ttl": str(latest.ttl),
            "witness": {
                "threshold": str(rule.threshold),
                "witnesses": [{"id": witness} for witness in rule.witnesses],
            }
            if rule.threshold
            else {},
            "watchers": list(latest.watchers),
        }


def verify_log(
    did: str, log: bytes, *, now: datetime, witness_proofs: bytes | None = None
) -> WebvhLog:
    """Verify the `log` (`did.jsonl`) of the name `did`.

    `witness_proofs` is `did-witness.json`, needed where the log names witnesses.

    Raises DidMalformed (the name), WebvhLogInvalid (an entry), WebvhWitnessesUnknown (the log
    needs proofs that were not given), WebvhWitnessesMissing, LimitExceeded, JsonMalformed.
    """
    if now.tzinfo is None:
        raise ValueError("a naive datetime names no instant")
    name = parse_webvh(did)
    if len(log) > MAX_JSON_BYTES:
        raise LimitExceeded(what="log of an identifier", limit=MAX_JSON_BYTES)
    lines = log.removesuffix(b"\n").split(b"\n")
    if len(lines) > MAX_ENTRIES:
        raise LimitExceeded(what="number of entries in the log", limit=MAX_ENTRIES)
    versions: list[WebvhVersion] = []
    for line in lines:
        entry = parse_json_object(line)
        try:
            versions.append(_entry(entry, name, versions, now))
        except BadParameter as error:
            raise WebvhLogInvalid(entry=len(versions) + 1, reason=error) from error
    if not any(version.document["id"] == did for version in versions):
        raise WebvhLogInvalid(entry=1, reason="it is the log of another identifier")
    check_witnesses(
        [version.id for version in versions],
        [version.parameters.witness for version in versions],
        witness_proofs,
    )
    return WebvhLog(did, tuple(versions))


def _entry(
    entry: Mapping[str, Any], name: WebvhName, before: Sequence[WebvhVersion], now: datetime
) -> WebvhVersion:
    """Steps 1 to 7 of "Read (Resolve)" for one entry. Raises BadParameter."""
    if entry.keys() != _MEMBERS:
        raise BadParameter("it lacks a member or has one too many")
    previous = before[-1] if before else None
    if previous is not None and previous.parameters.deactivated:
        raise BadParameter("the identifier was deactivated before it")
    parameters = (
        after(previous.parameters, entry["parameters"]) if previous else first(entry["parameters"])
    )
    if parameters.scid != name.scid:
        raise BadParameter("it is the log of another identifier")
    # With keys promised, an entry is signed by those it reveals; else by those in force before it.
    keys = parameters.update_keys
    if previous is not None and not previous.parameters.next_key_hashes:
        keys = previous.parameters.update_keys
    covered = {member: value for member, value in entry.items() if member != "proof"}
    for proof in _proofs(entry["proof"]):
        if check_proof(proof, covered, now).removeprefix("did:key:") not in keys:
            raise BadParameter("it is signed by a key that is not authorized")
    number = _check_hash(covered, parameters.scid, previous)
    time = _check_time(entry["versionTime"], previous, now)
    if previous is None:
        _check_scid(covered, parameters.scid)
    _check_state(entry["state"], parameters, previous)
    return WebvhVersion(entry["versionId"], number, time, entry["state"], parameters)


def _proofs(value: object) -> list[object]:
    if not isinstance(value, list) or not 0 < len(value) <= 8:
        raise BadParameter("its proofs are not a list of one to eight")
    return value


def _check_hash(covered: Mapping[str, Any], scid: str, previous: WebvhVersion | None) -> int:
    """Step 3. Answers the number of the version."""
    version = covered["versionId"]
    parts = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if parts is None:
        raise BadParameter("versionId is not a number and a hash")
    number = int(parts["number"])
    if number != (previous.number + 1 if previous else 1):
        raise BadParameter("versionId does not follow the one before")
    chained = {**covered, "versionId": previous.id if previous else scid}
    if multihash(canonical_json(chained)) != parts["hash"]:
        raise BadParameter("its hash is another")
    return number


def _check_time(value: object, previous: WebvhVersion | None, now: datetime) -> datetime:
    """Step 4."""
    time = parse_timestamp(value)
    if time is None or time.utcoffset() != timedelta(0):
        raise BadParameter("versionTime is not a time in UTC")
    if previous is not None and time <= previous.time:
        raise BadParameter("versionTime is not later than the one before")
    if time > now + CLOCK_SKEW:
        raise BadParameter("versionTime lies in the future")
    return time


def _check_scid(covered: Mapping[str, Any], scid: str) -> None:
    """Step 5: the name is the hash of the entry that it stands in."""
    text = canonical_json({**covered, "versionId": _PLACEHOLDER}).decode("utf-8")
    blank = json.loads(text.replace(scid, _PLACEHOLDER))
    if multihash(canonical_json(blank)) != scid:
        raise BadParameter("the identifier is not the hash of its first entry")


def _check_state(state: object, parameters: Parameters, previous: WebvhVersion | None) -> None:
    """Step 6, and "DID Portability"."""
    if not isinstance(state, Mapping):
        raise BadParameter("state is not an object")
    try:
        name = parse_webvh(state.get("id"))
    except (DidMalformed, DidMethodUnsupported) as error:
        raise BadParameter("the id of its document is not a did:webvh") from error
    if name.scid != parameters.scid:
        raise BadParameter("its document is that of another identifier")
    if previous is None or previous.document["id"] == name.did:
        return
    if not parameters.portable:
        raise BadParameter("it moves an identifier that is not portable")
    known_as = state.get("alsoKnownAs")
    if not isinstance(known_as, list) or previous.document["id"] not in known_as:
        raise BadParameter("it moves an identifier and does not name the old one")


class WebvhResolver:
    """Resolves the did:webvh names whose logs it was given, by the version now in force."""

    def __init__(self, logs: Iterable[WebvhLog]) -> None:
        """Of two logs of one name, the longer counts if it continues the other.

        Raises WebvhLogInvalid when they contradict each other.
        """
        self._logs: dict[str, WebvhLog] = {}
        for log in logs:
            known = self._logs.setdefault(log.did, log)
            shorter, longer = sorted((known, log), key=lambda each: len(each.versions))
            if longer.versions[len(shorter.versions) - 1].id != shorter.latest.id:
                raise WebvhLogInvalid(
                    entry=len(shorter.versions), reason="two logs of the identifier differ"
                )
            self._logs[log.did] = longer

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        """Raises what `Resolver.resolve` does, DidDeactivated and DidDocumentMalformed."""
        did, _ = split_key_url(url)
        if not did.startswith("did:webvh:"):
            raise DidMethodUnsupported(method=did.split(":")[1])
        log = self._logs.get(did)
        # A name that was moved away names no keys any more: they stand under the new one.
        if log is None or log.latest.document["id"] != did:
            raise DidUnknown(did=did)
        return log.current().did_document().method(url, relationship)
