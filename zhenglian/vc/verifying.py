"""Judging one credential with what the caller names: keys by DID, contexts and status lists.

Guarantees: what is accepted was signed by the issuer that it names, is in force at `now`, and each
of its status entries was looked up in a list of the same issuer, signed and in force. Not
guaranteed: who the issuer is in the world, and that the lists given are the newest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.did_jwk import JwkResolver
from credentials.dids import ChainResolver, DocumentResolver, KeyResolver, Resolver
from credentials.errors import ControllerMismatch, StatusEntryMalformed
from credentials.issuer_keys import DidKeys
from credentials.jose import UnverifiedJws, parse_compact
from credentials.keys import PublicKey
from credentials.model import check_credential, check_validity, is_enveloped, issuer_id
from credentials.proofs import verify_credential
from credentials.sdjwt.vc import verify_vc
from credentials.securing import Envelope, verify_secured_credential
from credentials.status import MAX_STATUS_ENTRIES
from credentials.status_messages import MESSAGE, SizedStatusEntry, SizedStatusList
from credentials.token_status import JWT_TYPE, StatusReference, verify_status_list_jwt
from schemas.errors import Phrase
from zhenglian.vc.errors import StatusSet, StatusUnknown
from zhenglian.vc.reading import Content, Token, read_content

# RFC 7519 §4.1, RFC 8392: claims of a token that stand beside those of the document.
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "nonce"})

TOKEN_STATUS: Final[Mapping[int, str]] = {1: "revocation", 2: "suspension"}
"""What values of a token status list are called; others belong to applications."""


@dataclass(frozen=True)
class Accepted:
    """What was accepted: who signed it, what kind it is, and which checks it passed."""

    issuer: str | None
    types: tuple[str, ...]
    checks: tuple[str, ...]
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Judge:
    """What a credential is judged with."""

    canonicalizer: Canonicalizer
    now: datetime
    documents: Sequence[Mapping[str, Any]] = ()
    lists: Sequence[Content | str] = ()
    """Status lists: credentials, or tokens in compact form."""
    accept_base: bool = False
    resolver: Resolver = field(init=False)

    def __post_init__(self) -> None:
        """Raises DidDocumentMalformed."""
        found = ChainResolver(KeyResolver(), JwkResolver(), DocumentResolver(self.documents))
        object.__setattr__(self, "resolver", found)

    def judge(self, content: Content) -> Accepted:
        """Accept `content`, or raise what speaks against it."""
        if isinstance(content, Token):
            return self._judge_token(content)
        document = self._signed(content)
        check_validity(document, self.now)
        issuer = issuer_id(document)
        checks = ["proof", "issuer", "validity"]
        if self._check_entries(document, issuer):
            checks.append("status")
        kinds = document.get("type")
        types = kinds if isinstance(kinds, list) else [kinds]
        return Accepted(issuer, tuple(map(str, types)), tuple(checks), document)

    def _signed(self, content: Mapping[str, Any] | Envelope) -> Mapping[str, Any]:
        """The document that its issuer signed."""
        if isinstance(content, Mapping) and is_enveloped(content):
            content = Envelope.parse(content)
        if isinstance(content, Envelope):
            signed = verify_secured_credential(content, issuer=DidKeys(self.resolver), now=self.now)
            document = {k: v for k, v in signed.document.items() if k not in _CLAIMS}
            check_credential(document)
            # The token's own verification leaves open whether every term is defined.
            self.canonicalizer.canonicalize(document)
            return document
        verified = verify_credential(
            content,
            resolver=self.resolver,
            now=self.now,
            accept_base=self.accept_base,
            canonicalizer=self.canonicalizer,
        )
        return verified.document

    def _check_entries(self, document: Mapping[str, Any], issuer: str) -> bool:
        """Whether there was a status. Raises StatusSet, StatusUnknown and what reading it does."""
        if "credentialStatus" not in document:
            return False
        value = document["credentialStatus"]
        listed = value if isinstance(value, list) else [value]
        if not 1 <= len(listed) <= MAX_STATUS_ENTRIES:
            raise StatusEntryMalformed(
                reason=Phrase("there are not 1 to {most} entries", most=MAX_STATUS_ENTRIES)
            )
        for sized in [SizedStatusEntry.parse(entry) for entry in listed]:
            found = self._list_at(sized.list_url, issuer).value(sized)
            # A message is a state and not a verdict (Bitstring Status List §2.1).
            if not found.valid and found.purpose != MESSAGE:
                raise StatusSet(purpose=found.purpose)
        return True

    def _list_at(self, url: str, issuer: str) -> SizedStatusList:
        """The verified list at `url`. §3.2: only the credential's own issuer can speak about it."""
        for given in self.lists:
            if isinstance(given, str | Token):
                continue
            if isinstance(given, Mapping) and not is_enveloped(given) and given.get("id") != url:
                continue  # about others
            document = self._signed(given)
            if document.get("id") != url:
                continue
            check_validity(document, self.now)
            if issuer_id(document) != issuer:
                raise ControllerMismatch(role="issuer")
            return SizedStatusList.parse(document)
        raise StatusUnknown

    def _judge_token(self, token: Token) -> Accepted:
        source = DidKeys(self.resolver)
        found = verify_vc(token.compact, issuer=source, now=self.now, key_binding=None)
        checks = ["proof", "issuer", "validity"]
        if found.status is not None:
            self._check_reference(StatusReference.parse(found.status), found.issuer)
            checks.append("status")
        return Accepted(found.issuer, (found.vct,), tuple(checks), found.claims)

    def _check_reference(self, reference: StatusReference, issuer: str | None) -> None:
        """Raises StatusSet, StatusUnknown and what verifying a list does."""

        def key(signed: UnverifiedJws) -> PublicKey:
            found = DidKeys(self.resolver).find(signed.header, issuer, self.now)
            return found.public_key

        for given in self.lists:
            if isinstance(given, str):
                verified = verify_status_list_jwt(given, key=key, now=self.now)
                if verified.uri == reference.uri:
                    value = verified.status(reference)
                    if value:
                        raise StatusSet(purpose=TOKEN_STATUS.get(value, str(value)))
                    return
        raise StatusUnknown


def read_status_list(data: bytes) -> Content | str:
    """A status list as a file holds it: a token in compact form, or what `read_content` reads."""
    text = data.decode("ascii", "replace").strip()
    if text.startswith("eyJ") and "~" not in text:
        typ = parse_compact(text).header.get("typ")
        if typ in (JWT_TYPE, "application/" + JWT_TYPE):
            return text
    return read_content(data)
