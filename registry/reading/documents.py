"""The status list credentials that entries on the chain name by digest.

Guaranteed: what is handed out has the digest it is asked by, and nothing is kept that no entry
names and no accredited issuer signed, so strangers cannot fill the disk. Whether a list is the
newest of its address is on the chain, not here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import rfc8785

from credentials.errors import CredentialError
from credentials.proofs import verify_proof
from registry.contracts.governance import Governance
from registry.engine.catalogue import Catalogue
from registry.errors import EntryMalformed, NotPermitted, SubmissionMalformed
from registry.ledger.members import document_digest, is_digest
from registry.storage import Tiles
from registry.trust.load import MAX_LIST_BYTES
from schemas.errors import Phrase

DOCUMENTS: Final = "status-lists"


class Documents:
    """The documents of one registry, beside the tiles of its main chain."""

    def __init__(
        self,
        tiles: Tiles,
        *,
        catalogue: Catalogue,
        governance: Governance,
        now: Callable[[], datetime],
    ) -> None:
        self._tiles = tiles
        self._catalogue = catalogue
        self._governance = governance
        self._now = now

    def put(self, digest: str, data: bytes) -> None:
        """Keep the status list credential that an entry on a side chain names by `digest`.

        Raises SubmissionMalformed, EntryMalformed, and NotPermitted unless an entry names it or
        an accredited issuer signed it.
        """
        if len(data) > MAX_LIST_BYTES:
            raise SubmissionMalformed(
                reason=Phrase("a status list of more than {most} bytes", most=MAX_LIST_BYTES)
            )
        try:
            document = json.loads(data)
            canonical = rfc8785.dumps(document)
            fits = isinstance(document, dict) and document_digest(document) == digest
        except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
            raise EntryMalformed(reason="the status list is not JSON") from error
        if canonical != data or not fits:
            raise EntryMalformed(reason="the status list is not canonical or has another digest")
        if not (self._catalogue.has_digest(digest) or self._is_of_issuer(document)):
            raise NotPermitted(
                submitter="?", origin=DOCUMENTS, reason="no accredited issuer has signed it"
            )
        self._tiles.put_document(f"{digest}.json", data)

    def _is_of_issuer(self, document: Mapping[str, Any]) -> bool:
        try:
            verified = verify_proof(document, resolver=self._governance.resolver, now=self._now())
        except CredentialError:
            return False
        signers = {proof.method.controller for proof in verified.proofs}
        return signers <= self._governance.issuers.keys()

    def get(self, digest: str) -> bytes | None:
        """The bytes of a status list credential by its digest, checked against it."""
        return read_document(self._tiles, digest)


def read_document(tiles: Tiles, digest: str) -> bytes | None:
    """The bytes of a document by its digest, checked against it."""
    if not is_digest(digest):  # it becomes a file name
        return None
    data = tiles.get_document(f"{digest}.json")
    if data is None:
        return None
    try:
        return data if document_digest(json.loads(data)) == digest else None
    except (ValueError, RecursionError, rfc8785.CanonicalizationError):
        return None  # a damaged file is as good as none: its status is unknown
