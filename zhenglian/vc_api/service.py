"""What the VC-API's operations do, without HTTP: a request object in, an answer object out.

Two modes. The *product* mode issues only what the data model allows under the address's own
name, and calls verified only what its issuer signed, is in force, and is not revoked as far as
this server knows; what it cannot know it does not pass over. The *proof-only* mode, which the
official suites need, judges structure and proofs alone: anybody may have signed, documents may
bring contexts of their own, credentials of the data model 1.1 pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.contexts import ContextStore
from credentials.did_jwk import JwkResolver
from credentials.dids import AUTHENTICATION, ChainResolver, KeyResolver, Resolver
from credentials.errors import BbsFeatureMismatch, ControllerMismatch, StatusEntryMalformed
from credentials.model import (
    ALL_MODELS,
    CURRENT_MODEL,
    check_credential,
    check_presentation,
    check_validity,
    is_enveloped,
    issuer_id,
)
from credentials.multibase import multibase_base64
from credentials.proofs import (
    ALL_CRYPTOSUITES,
    CRYPTOSUITES,
    BbsChecking,
    add_proof,
    derive,
    verify_credential,
    verify_proof,
)
from credentials.proofs.bbs_2023 import pseudonym_of
from credentials.proofs.bbs_2023_options import NAME as BBS_2023
from credentials.proofs.suite import Cryptosuite
from credentials.related_resources import check_related_resources, held_by
from credentials.status import MAX_STATUS_ENTRIES, status_list_credential
from credentials.status_messages import MESSAGE, SizedStatusEntry
from schemas.errors import Phrase
from zhenglian.vc_api import features
from zhenglian.vc_api.envelopes import FORMS, Envelopes
from zhenglian.vc_api.errors import (
    AddressUnknown,
    BodyMalformed,
    CredentialRevoked,
    FeatureUnavailable,
    IssuerMismatch,
    OptionUnknown,
    StatusOutOfReach,
    StatusUnavailable,
)
from zhenglian.vc_api.keys import Party
from zhenglian.vc_api.statuses import Given, Statuses, find, read_messages

MAX_CREDENTIALS: Final = 16
"""Credentials of one presentation; each costs a verification."""
STATUS_LIFE: Final = timedelta(hours=1)

ENVELOPED_PRESENTATION: Final = "EnvelopedVerifiablePresentation"

_NONE: Final[Mapping[str, bytes]] = {}

# A status list shows everything to everybody, so it takes a suite that signs a whole document.
_LIST_SUITES: Final[Mapping[str, str]] = {
    "P-256": "ecdsa-rdfc-2019",
    "P-384": "ecdsa-rdfc-2019",
    "Ed25519": "eddsa-rdfc-2022",
}


def utc_now() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Answer:
    """An HTTP status and a body."""

    status: int
    body: dict[str, Any]


class VcApi:
    """The operations of all addresses. `base` is the server's own address."""

    def __init__(
        self,
        parties: Mapping[str, Party],
        contexts: ContextStore,
        *,
        base: str,
        proof_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
        resolver: Resolver | None = None,
        resources: Mapping[str, bytes] = _NONE,
    ) -> None:
        """`resources` are further copies of related resources, by URL."""
        self.parties = dict(parties)
        self.proof_only = proof_only
        self.base = base
        self._models = ALL_MODELS if proof_only else CURRENT_MODEL
        self._clock = clock
        self._resolver = resolver or ChainResolver(KeyResolver(), JwkResolver())
        self._canonicalizer = Canonicalizer(contexts, inline_contexts=proof_only)
        held = held_by(contexts)
        self._held = lambda url: [*held(url), *([resources[url]] if url in resources else [])]
        self._envelopes = Envelopes(self._resolver, self._canonicalizer, clock)
        self._statuses = {name: Statuses(f"{base}/{name}/status-lists") for name in self.parties}

    # Operations. Each takes the body of the request.

    def issue(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{credential, options: {mandatoryPointers, statusPurposes, …}}` → 201.

        Also the options of `zhenglian.vc_api.features`; at vc-sd-jwt `disclosablePointers`, what
        the holder may leave out.
        """
        party = self._party(name)
        _only(body, "credential", "options")
        credential = _object(body, "credential")
        options = _options(
            body,
            "credentialId",
            "mandatoryPointers",
            "disclosablePointers",
            "statusPurposes",
            "statusMessages",
            "statusSize",
            "statusReference",
            *features.ISSUING,
        )
        self._check_credential(credential)
        if not self.proof_only:
            if issuer_id(credential) != party.did:
                raise IssuerMismatch(role="issuer")
            if "proof" in credential:
                # Who signs beside a proof vouches for a document that must hold with it.
                self._verify_received(credential, {}, _suites(party))
        purposes = _texts(options, "statusPurposes")
        messages = read_messages(options, as_the_suite_counts=self.proof_only)
        if not purposes and messages is None:
            return Answer(201, {"verifiableCredential": self._sign(party, credential, options)})
        if party.key.type not in _LIST_SUITES:
            raise StatusUnavailable
        known = options.get("credentialId", credential.get("id"))
        if not isinstance(known, str) or not known:
            raise BodyMalformed(reason="a credential with a status needs an id")
        given = self._statuses[name].give(known, purposes, messages)
        try:
            signed = self._sign(party, _with_status(credential, given), options)
        except BaseException:
            self._statuses[name].forget(known)
            raise
        return Answer(201, {"verifiableCredential": signed})

    def verify(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{verifiableCredential, options}` → 200 `{verified: true, checks}`; else raises.

        Any cryptosuite of the default table: the proof says which. One that is experimental or
        legacy only at its own address. `options.checks` is read and never takes a check away; for
        the others see `zhenglian.vc_api.features`. A pseudonym that was proven is told.
        """
        party = self._party(name)
        _only(body, "verifiableCredential", "options")
        credential = _object(body, "verifiableCredential")
        options = _options(body, "checks", "challenge", "domain", *features.CHECKING)
        _texts(options, "checks")
        asked = features.checking(options)
        checks = self._verify(credential, _suites(party), asked)
        told: dict[str, Any] = {"verified": True, "checks": checks, "problemDetails": []}
        if asked is not None and asked.nym_domain is not None:
            told["pseudonym"] = _pseudonym(credential)
        return Answer(200, told)

    def derive(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{verifiableCredential, options: {selectivePointers, …}}` → 201.

        The holder's step: what was issued is verified first. For the other options see
        `zhenglian.vc_api.features`. An enveloped SD-JWT stays in its envelope.
        """
        self._party(name)
        _only(body, "verifiableCredential", "options")
        credential = _object(body, "verifiableCredential")
        options = _options(body, "selectivePointers", *features.SHOWING)
        pointers, asked = _texts(options, "selectivePointers"), features.showing(options)
        if is_enveloped(credential):
            if asked is not None:
                raise FeatureUnavailable
            self._envelopes.credential(credential)
            shown = self._envelopes.derive(credential, pointers)
            return Answer(201, {"verifiableCredential": shown})
        self._verify_received(credential, options, CRYPTOSUITES)
        derived = derive(
            credential, pointers, canonicalizer=self._canonicalizer, suite_options=asked
        )
        return Answer(201, {"verifiableCredential": derived})

    def prove(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{presentation, options: {challenge, domain}}` → 201 `{verifiablePresentation}`."""
        party = self._party(name)
        _only(body, "presentation", "options")
        presentation = _object(body, "presentation")
        options = _options(body, "challenge", "domain")
        challenge, domain = _text(options, "challenge"), _text(options, "domain")
        check_presentation(presentation, models=self._models, enveloped=True)
        if not self.proof_only:
            if challenge is None or domain is None:
                # Without both, whoever receives the presentation could show it to another.
                raise BodyMalformed(reason="options needs a challenge and a domain")
            if _holder(presentation) not in (None, party.did):
                raise IssuerMismatch(role="holder")
        if party.cryptosuite in FORMS:
            signed = self._envelopes.make(party, presentation, challenge=challenge, domain=domain)
            return Answer(201, {"verifiablePresentation": signed})
        signed = add_proof(
            presentation,
            cryptosuite=party.cryptosuite,
            signer=party.key,
            verification_method=party.method,
            created=self._clock(),
            purpose=AUTHENTICATION,
            challenge=challenge,
            domain=domain,
            canonicalizer=self._canonicalizer,
            suites=_suites(party),
        )
        return Answer(201, {"verifiablePresentation": signed})

    def verify_presentation(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{verifiablePresentation, options: {challenge, domain}}` → 200; else raises."""
        suites = _suites(self._party(name))
        _only(body, "verifiablePresentation", "options")
        presentation = _object(body, "verifiablePresentation")
        options = _options(body, "checks", "challenge", "domain")
        _texts(options, "checks")
        challenge, domain = _text(options, "challenge"), _text(options, "domain")
        if not self.proof_only and (challenge is None or domain is None):
            raise BodyMalformed(reason="options needs the challenge and the domain to expect")
        if is_enveloped(presentation, ENVELOPED_PRESENTATION):
            credentials: Sequence[object] = self._envelopes.presentation(
                presentation, challenge, domain
            )
        else:
            credentials = self._verify_proof_of(presentation, challenge, domain, suites)
        if len(credentials) > MAX_CREDENTIALS:
            raise BodyMalformed(
                reason=Phrase("there are more than {most} credentials", most=MAX_CREDENTIALS)
            )
        checks = ["proof"] if self.proof_only else ["proof", "holder", "challenge", "domain"]
        inner = [self._verify(credential, suites) for credential in credentials]
        return Answer(
            200,
            {
                "verified": True,
                "checks": checks,
                "credentialResults": [{"verified": True, "checks": each} for each in inner],
                "problemDetails": [],
            },
        )

    def _verify_proof_of(
        self,
        presentation: Mapping[str, Any],
        challenge: str | None,
        domain: str | None,
        suites: Mapping[str, Cryptosuite],
    ) -> Sequence[object]:
        """The credentials, still unverified, of a presentation whose proof was verified."""
        check_presentation(presentation, models=self._models, enveloped=True)
        verified = verify_proof(
            presentation,
            resolver=self._resolver,
            now=self._clock(),
            purpose=AUTHENTICATION,
            challenge=challenge,
            domain=domain,
            canonicalizer=self._canonicalizer,
            suites=suites,
        )
        holder = _holder(presentation)
        if not self.proof_only:
            makers = {proof.method.controller for proof in verified.proofs}
            if len(makers) != 1 or (holder is not None and makers != {holder}):
                raise ControllerMismatch(role="holder")
        value = presentation.get("verifiableCredential", [])
        return value if isinstance(value, list) else [value]

    def set_status(self, name: str, body: Mapping[str, Any]) -> Answer:
        """`{credentialId, credentialStatus: {type, statusPurpose}, status}` → 200.

        `status` is a boolean, or the number of a message.
        """
        self._party(name)
        _only(body, "credentialId", "credentialStatus", "status")
        entry = _object(body, "credentialStatus")
        purpose, known = _text(entry, "statusPurpose"), _text(body, "credentialId")
        value = body.get("status", True)
        if purpose is None or known is None or not isinstance(value, int):
            raise BodyMalformed(
                reason="it needs credentialId, credentialStatus.statusPurpose and a status"
            )
        changed = self._statuses[name].change(known, purpose, int(value))
        return Answer(200, {"credentialStatus": changed.document, "status": value})

    def status_list(self, name: str, listed: str) -> dict[str, Any]:
        """The signed status list credential of one address: the list named `listed`."""
        party = self._party(name)
        suite = _LIST_SUITES.get(party.key.type)
        found = self._statuses[name].published(listed)
        if suite is None or found is None:
            raise AddressUnknown
        now = self._clock()
        return add_proof(
            status_list_credential(
                found.bits,
                url=found.url,
                issuer=party.did,
                purpose=found.purpose,
                valid_from=now,
                valid_until=now + STATUS_LIFE,
            ),
            cryptosuite=suite,
            signer=party.key,
            verification_method=party.method,
            created=now,
        )

    # What they share

    def _party(self, name: str) -> Party:
        try:
            return self.parties[name]
        except KeyError:
            raise AddressUnknown from None

    def _check_credential(self, credential: Mapping[str, Any]) -> None:
        check_credential(credential, models=self._models)
        # VCDM §5.3; the suite writes its digests in a form that the product does not take.
        if "relatedResource" in credential:
            check_related_resources(credential, self._held, bare=self.proof_only)

    def _verify_received(
        self,
        credential: Mapping[str, Any],
        options: Mapping[str, Any],
        suites: Mapping[str, Cryptosuite],
    ) -> None:
        """What an issuer sent its holder; in the proof-only mode, whoever signed it.

        Whether it is in force is the verifier's to ask.
        """
        if self.proof_only:
            self._check_credential(credential)
        verify: Callable[..., object] = verify_proof if self.proof_only else verify_credential
        verify(
            credential,
            resolver=self._resolver,
            now=self._clock(),
            accept_base=True,
            canonicalizer=self._canonicalizer,
            suites=suites,
            suite_options=features.received(options),
        )

    def _sign(
        self, party: Party, credential: Mapping[str, Any], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        if party.cryptosuite in FORMS:
            if options.get("mandatoryPointers") or not options.keys().isdisjoint(features.ISSUING):
                raise FeatureUnavailable
            disclosable = _texts(options, "disclosablePointers")
            return self._envelopes.make(party, credential, disclosable=disclosable)
        if "disclosablePointers" in options:
            raise FeatureUnavailable
        return add_proof(
            credential,
            cryptosuite=party.cryptosuite,
            signer=party.key,
            verification_method=party.method,
            created=self._clock(),
            mandatory_pointers=_texts(options, "mandatoryPointers"),
            suites=_suites(party),
            suite_options=features.issuing(party.cryptosuite, options),
            canonicalizer=self._canonicalizer,
        )

    def _verify(
        self,
        credential: object,
        suites: Mapping[str, Cryptosuite],
        asked: BbsChecking | None = None,
    ) -> list[str]:
        """The checks that were made and passed."""
        if not isinstance(credential, Mapping):
            raise BodyMalformed(reason="a credential is not an object")
        now = self._clock()
        if is_enveloped(credential):
            if asked is not None:
                raise FeatureUnavailable
            credential = self._envelopes.credential(credential)
            self._check_credential(credential)
        elif self.proof_only:
            self._check_credential(credential)
            verify_proof(
                credential,
                resolver=self._resolver,
                now=now,
                canonicalizer=self._canonicalizer,
                suites=suites,
                suite_options=asked,
            )
        else:
            verify_credential(
                credential,
                resolver=self._resolver,
                now=now,
                canonicalizer=self._canonicalizer,
                suites=suites,
                suite_options=asked,
            )
        if self.proof_only:
            return ["proof"]
        check_validity(credential, now)
        # §3.2: only the credential's own issuer can speak about it.
        issuer = issuer_id(credential)
        own = [self._statuses[name] for name, party in self.parties.items() if party.did == issuer]
        for sized in _status_entries(credential):
            value = find(own, sized)
            if value is None:
                raise StatusOutOfReach
            # A message is a state and not a verdict (Bitstring Status List §2.1).
            if value and sized.entry.purpose != MESSAGE:
                raise CredentialRevoked(purpose=sized.entry.purpose)
        return ["proof", "issuer", "validity", "credentialStatus"]


def _suites(party: Party) -> Mapping[str, Cryptosuite]:
    """What counts at an address: the default table and its own suite, whatever that one is."""
    own = ALL_CRYPTOSUITES.get(party.cryptosuite)
    return CRYPTOSUITES if own is None else {**CRYPTOSUITES, own.name: own}


def _pseudonym(credential: Mapping[str, Any]) -> str:
    """The pseudonym of a credential that was verified for its context."""
    proof = credential["proof"]
    for each in proof if isinstance(proof, list) else [proof]:
        found = pseudonym_of(each) if each.get("cryptosuite") == BBS_2023 else None
        if found is not None:
            return multibase_base64(found)
    raise BbsFeatureMismatch


def _only(body: Mapping[str, Any], *known: str) -> None:
    """What stands beside the known members may be a condition at the wrong place."""
    if not set(known) >= body.keys():
        raise BodyMalformed(reason="it has a member that the operation does not know")


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, Mapping):
        raise BodyMalformed(reason=Phrase("{name} is missing or not an object", name=name))
    return value


def _options(body: Mapping[str, Any], *known: str) -> Mapping[str, Any]:
    """`options`; one that is not known is refused, because it may state a condition."""
    value = body.get("options", {})
    if not isinstance(value, Mapping):
        raise BodyMalformed(reason="options is not an object")
    if not set(known) >= value.keys():
        raise OptionUnknown(known=", ".join(known))
    return value


def _texts(options: Mapping[str, Any], name: str) -> Sequence[str]:
    value = options.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BodyMalformed(reason=Phrase("{name} is not a list of texts", name=name))
    return value


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise BodyMalformed(reason=Phrase("{name} is not a text", name=name))
    return value


def _holder(presentation: Mapping[str, Any]) -> str | None:
    holder = presentation.get("holder")
    value = holder.get("id") if isinstance(holder, Mapping) else holder
    return value if isinstance(value, str) else None


def _status_entries(credential: Mapping[str, Any]) -> list[SizedStatusEntry]:
    """All status entries, each understood. Raises what reading them does."""
    value = credential.get("credentialStatus", [])
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MAX_STATUS_ENTRIES:
        raise StatusEntryMalformed(
            reason=Phrase("there are not 1 to {most} entries", most=MAX_STATUS_ENTRIES)
        )
    return [SizedStatusEntry.parse(entry) for entry in listed]


def _with_status(credential: Mapping[str, Any], given: Iterable[Given]) -> dict[str, Any]:
    """A copy whose `credentialStatus` has what was `given` after what stands there."""
    present = credential.get("credentialStatus", [])
    listed = [*(present if isinstance(present, list) else [present])]
    listed += [each.document for each in given]
    return {**credential, "credentialStatus": listed[0] if len(listed) == 1 else listed}
