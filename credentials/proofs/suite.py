"""What a cryptosuite is to the framework of `credentials.proofs.integrity`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from credentials.canonical import Canonicalizer
from credentials.errors import SuiteOptionsRefused
from credentials.keys import KeyType, PublicKey, Signer


@dataclass(frozen=True, slots=True)
class ProofForm:
    """A type of proof: the context that defines it, and the suite if that follows from the type.

    `suite` is None where the member `cryptosuite` names it (VC-DI §2.1); otherwise the proof has
    no such member. `defined_by` are further contexts that define the type.
    """

    type: str
    context: str
    suite: str | None = None
    defined_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProofInput:
    """What a proof covers: the document without its proof, and the proof without its value.

    `document` holds, under `proof`, the earlier proofs that a chained proof covers (VC-DI §4.3).
    `options` has the document's `@context` (VC-DI-ECDSA §3.2.5); in a suite that `carries_context`
    it is the proof as it stands, without its value. Neither may be changed.
    """

    document: Mapping[str, Any]
    options: Mapping[str, Any]
    canonicalizer: Canonicalizer


@dataclass(frozen=True)
class SuiteOptions:
    """What a caller asks of one suite beyond what all of them can be asked.

    A suite that has such options declares classes of its own and takes them by `with_options`.
    """

    cryptosuite: ClassVar[str]


class Cryptosuite(Protocol):
    """One row of the suite table. Suites hold no state."""

    @property
    def name(self) -> str: ...

    @property
    def key_types(self) -> frozenset[KeyType]: ...

    @property
    def carries_context(self) -> bool:
        """Whether proofs show the document's `@context` themselves (VC-DI-ECDSA §3.3.1 step 2).

        If so, none is read into a proof that does not.
        """
        ...

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        """The `proofValue`. A suite without selective disclosure refuses pointers."""
        ...

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        """Raise SignatureInvalid or ProofMalformed unless the proof holds.

        `accept_base`: whether the issuer's own, not yet derived proof of a selective-disclosure
        suite will do. Only a holder who receives a credential has a reason to say so.
        """
        ...


@runtime_checkable
class ConfigurableSuite(Protocol):
    """A suite that has options."""

    def with_options(self, options: SuiteOptions) -> Cryptosuite:
        """The suite that does what `options` say. Raises SuiteOptionsRefused for others."""
        ...


@runtime_checkable
class DisclosingSuite(Protocol):
    """A suite whose holder can leave something out."""

    def derive(
        self,
        document: Mapping[str, Any],
        selective_pointers: Iterable[str],
        canonicalizer: Canonicalizer,
    ) -> dict[str, Any]:
        """The derived form of a document with one base proof of this suite."""
        ...


def configured(suite: Cryptosuite, options: SuiteOptions | None) -> Cryptosuite:
    """`suite` with `options`. Raises SuiteOptionsRefused unless they are options of this suite:
    one that was passed over could have been a condition."""
    if options is None:
        return suite
    if options.cryptosuite != suite.name or not isinstance(suite, ConfigurableSuite):
        raise SuiteOptionsRefused(cryptosuite=suite.name)
    return suite.with_options(options)
