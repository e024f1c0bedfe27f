"""Pushing a log to its mirrors: the client of c2sp.org/tlog-mirror.

A mirror is told the newest checkpoint, then the entries that it lacks, and answers with a
cosignature when it has all of them durably. What it answers is believed only if that verifies
under the mirror's key. A push that breaks off goes on where the mirror says it stands.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

import httpx

from registry.errors import CosignatureMissing, RegistryUnreachable
from registry.limits import MAX_NOTE_BYTES
from registry.tlog.checkpoint import SignedCheckpoint
from registry.tlog.lines import encode_hash, parse_decimal
from registry.tlog.mirror_format import (
    INFO_TYPE,
    MAX_PACKAGES,
    UPLOAD_TYPE,
    MirrorInfo,
    UploadHeader,
    encode_package,
    runs,
)
from registry.tlog.note import NoteSignature, VerifierKey
from registry.tlog.subtrees import subtree_consistency_proof
from registry.web.answers import PLAIN, AnswerUnfit, read_answer
from registry.witnessing.cosigning import lines_of
from schemas.errors import Phrase

_ATTEMPTS: Final = 6  # without progress: other clients may move the mirror meanwhile
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)


class Source(Protocol):
    """A log as its `registry.engine.view.LogView` shows it."""

    def iterate(self, start: int, end: int) -> Iterator[bytes]: ...

    def subtree(self, level: int, index: int) -> bytes: ...

    def consistency_proof(self, old: int, new: int) -> Sequence[bytes]: ...


class MirrorClient:
    """One mirror behind its submission prefix."""

    def __init__(
        self,
        name: str,
        url: str,
        keys: Sequence[VerifierKey],
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`name` is for people; `keys` are those of the mirror that are trusted."""
        self.name: Final = name
        self._url = url.rstrip("/")
        self._keys: Final = tuple(keys)
        self._pending = 0
        self._next = 0
        self._ticket = b""
        self._http = httpx.Client(
            transport=transport,
            timeout=_TIMEOUT,
            headers=PLAIN,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def push(self, signed: SignedCheckpoint, source: Source) -> list[NoteSignature] | None:
        """Bring the mirror up to `signed` and take its cosignatures; None: it copies another log.

        Raises RegistryUnreachable, CosignatureMissing and what `source` raises.
        """
        if not self._announce(signed, source):
            return None
        attempts = 0
        while True:
            before = self._next
            answer = self._upload(signed, source)
            if answer is not None:
                return lines_of(self.name, self._keys, signed, answer)
            attempts = 0 if self._next > before else attempts + 1
            if attempts >= _ATTEMPTS:
                raise CosignatureMissing(node=self.name, reason="it makes no progress")

    def _announce(self, signed: SignedCheckpoint, source: Source) -> bool:
        for _ in range(_ATTEMPTS):
            # A size that it once named and never had must not keep it from being asked again.
            old = min(self._pending, signed.size)
            proof = source.consistency_proof(old, signed.size)
            lines = [f"old {old}", *(encode_hash(h) for h in proof), "", ""]
            status, _, body = self._post(
                "add-checkpoint", "\n".join(lines).encode() + signed.by_log_alone(), {}
            )
            if status == 200:
                self._pending = signed.size
                return True
            if status == 404:
                return False
            if status != 409:
                raise self._refused(status, body)
            try:
                self._pending = parse_decimal(body.decode("ascii").removesuffix("\n"))
            except ValueError as error:
                raise CosignatureMissing(node=self.name, reason="HTTP 409, no size") from error
            if self._pending > signed.size:
                raise CosignatureMissing(
                    node=self.name,
                    reason=Phrase(
                        "it has seen a larger tree, of {size} entries", size=self._pending
                    ),
                )
        raise CosignatureMissing(node=self.name, reason="its pending checkpoint keeps moving")

    def _upload(self, signed: SignedCheckpoint, source: Source) -> bytes | None:
        start = min(self._next, signed.size)
        header = UploadHeader(signed.origin, start, signed.size, self._ticket)
        body = gzip.compress(
            header.encode() + b"".join(_packages(source, start, signed.size)), compresslevel=1
        )
        status, kind, answer = self._post(
            "add-entries", body, {"Content-Type": UPLOAD_TYPE, "Content-Encoding": "gzip"}
        )
        if status == 200:
            self._next = signed.size
            return answer
        if status not in {202, 409} or kind != INFO_TYPE:
            raise self._refused(status, answer)
        try:
            info = MirrorInfo.parse(answer)
        except ValueError as error:
            raise CosignatureMissing(
                node=self.name, reason=Phrase("HTTP {status}, no info", status=status)
            ) from error
        if info.size > signed.size:
            raise CosignatureMissing(
                node=self.name,
                reason=Phrase("it has seen a larger tree, of {size} entries", size=info.size),
            )
        self._next, self._ticket = info.next, info.ticket
        return None

    def _post(self, call: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        try:
            with self._http.stream(
                "POST", f"{self._url}/{call}", content=body, headers=headers
            ) as answer:
                kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
                return answer.status_code, kind, read_answer(answer, MAX_NOTE_BYTES)
        except AnswerUnfit as error:
            raise RegistryUnreachable(reason=error.reason) from error
        except httpx.HTTPError as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error

    def _refused(self, status: int, body: bytes) -> CosignatureMissing:
        said = body[:400].decode(errors="replace").strip()
        return CosignatureMissing(
            node=self.name, reason=Phrase("HTTP {status}: {said}", status=status, said=said)
        )


def _packages(source: Source, start: int, size: int) -> Iterator[bytes]:
    for run in islice(runs(start, size), MAX_PACKAGES):
        proof = subtree_consistency_proof(run.base, run.end, size, source)
        yield encode_package(source.iterate(run.start, run.end), proof)
