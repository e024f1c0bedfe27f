"""The commands of `zl vc` on files, without a terminal.

Each takes names of files and returns what the command prints. Every refusal is an error with a
code; nothing is written here but by `write_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.canonical.strict_json import parse_json_object
from credentials.errors import CryptosuiteUnknown
from credentials.model import check_credential, issuer_id
from credentials.proofs import CRYPTOSUITES, add_proof, derive, verify_credential, verify_proof
from credentials.related_resources import check_related_resources, held_by
from schemas.durable import replace_file
from zhenglian.vc.errors import AddressOfNobody, OtherIssuer, VcFileUnusable, WholeCredential
from zhenglian.vc.reading import read_content, read_file
from zhenglian.vc.verifying import Accepted, Judge, read_status_list
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import ENVELOPES, kept_parties

_SELECTIVE: Final = ("ecdsa-sd-2023", "bbs-2023")
_FRAME: Final = ("issuer", "validFrom", "validUntil", "credentialStatus", "credentialSchema")
"""Without an issuer it is no credential; the others, a holder must not be able to leave out."""


def utc_now() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def verify_file(
    source: str,
    *,
    lists: Iterable[Path] = (),
    documents: Iterable[Path] = (),
    contexts: Sequence[str] = (),
    accept_base: bool = False,
    now: datetime | None = None,
) -> Accepted:
    """Judge the credential in `source`; raises what speaks against it (`vc.verifying`)."""
    judge = Judge(
        Canonicalizer(known_contexts(contexts)),
        now or utc_now(),
        documents=_documents(documents),
        lists=[read_status_list(read_file(str(path))) for path in lists],
        accept_base=accept_base,
    )
    return judge.judge(read_content(read_file(source)))


def derive_file(
    source: str,
    pointers: Sequence[str],
    *,
    documents: Iterable[Path] = (),
    contexts: Sequence[str] = (),
    now: datetime | None = None,
) -> dict[str, Any]:
    """The derived credential that shows `pointers`. Raises WholeCredential and the kernel's errors.

    The holder's own step: the base proof is verified first, the credential's status is not.
    """
    content = read_content(read_file(source))
    if not isinstance(content, Mapping):
        raise WholeCredential
    canonicalizer = Canonicalizer(known_contexts(contexts))
    judge = Judge(canonicalizer, now or utc_now(), documents=_documents(documents))
    verify_credential(
        content,
        resolver=judge.resolver,
        now=judge.now,
        accept_base=True,
        canonicalizer=canonicalizer,
    )
    try:
        return derive(content, pointers, canonicalizer=canonicalizer)
    except CryptosuiteUnknown as error:  # known, for it was verified: it cannot derive
        raise WholeCredential from error


def issue_file(
    source: str,
    *,
    keys: Path,
    passphrase: Callable[[], str],
    cryptosuite: str,
    mandatory: Sequence[str] = (),
    contexts: Sequence[str] = (),
    now: datetime | None = None,
) -> dict[str, Any]:
    """The credential in `source`, signed. A missing issuer is filled in.

    Raises AddressOfNobody, OtherIssuer, KeysUnusable and the kernel's errors.
    """
    credential = parse_json_object(read_file(source))
    parties = kept_parties(CRYPTOSUITES, keys, passphrase)
    known = sorted(name for name in parties if name not in ENVELOPES)
    if cryptosuite not in known:
        raise AddressOfNobody(name=cryptosuite, known=", ".join(known))
    party = parties[cryptosuite]
    credential.setdefault("issuer", party.did)
    check_credential(credential)
    if issuer_id(credential) != party.did:
        raise OtherIssuer(did=party.did)
    store = known_contexts(contexts)
    if "relatedResource" in credential:
        check_related_resources(credential, held_by(store))
    canonicalizer = Canonicalizer(store)
    moment = now or utc_now()
    if "proof" in credential:
        # Who signs beside a proof vouches for a document that must hold with it.
        verify_proof(
            credential,
            resolver=Judge(canonicalizer, moment).resolver,
            now=moment,
            accept_base=True,
            canonicalizer=canonicalizer,
        )
    return add_proof(
        credential,
        cryptosuite=party.cryptosuite,
        signer=party.key,
        verification_method=party.method,
        created=moment,
        mandatory_pointers=_always(party.cryptosuite, credential, mandatory),
        canonicalizer=canonicalizer,
    )


def _always(
    cryptosuite: str, credential: Mapping[str, Any], mandatory: Sequence[str]
) -> Sequence[str]:
    """The pointers that every derived credential shows; none where nothing can be derived."""
    if cryptosuite not in _SELECTIVE:
        return mandatory
    frame = [f"/{name}" for name in _FRAME if name in credential]
    return [*frame, *(pointer for pointer in mandatory if pointer not in frame)]


def write_file(path: Path, text: str) -> None:
    """All of `text` or nothing. Raises VcFileUnusable."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise VcFileUnusable(path=path, reason=error.strerror or "not writable") from error


def _documents(paths: Iterable[Path]) -> list[Mapping[str, Any]]:
    return [parse_json_object(read_file(str(path))) for path in paths]
