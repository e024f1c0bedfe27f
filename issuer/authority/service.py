"""The authority's decision on one question, apart from how it arrives.

Guarantees: only a fresh question, signed by a key on record for the issuer it names and addressed
to this authority, is looked at, and once only. The answer says yes or no and nothing else; data of
the register never leaves it. Refusals raise; they are never a "no".

Checks stand in the order in which they cost and tell: nothing about the form of `person` is said
to someone who did not sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from credentials.dids import split_key_url
from credentials.errors import CredentialError
from credentials.jose import parse_compact
from credentials.keys import Signer
from issuer.authority.errors import (
    QuestionClockWrong,
    QuestionForged,
    QuestionLimited,
    QuestionMalformed,
)
from issuer.authority.ledger import Ledger
from issuer.authority.messages import (
    CLOCK_SKEW,
    MAX_MESSAGE,
    REQUEST_TYPE,
    Question,
    build_answer,
    read_question,
)
from issuer.authority.register import Register
from issuer.times import Clock, system_clock


@dataclass(frozen=True)
class Authority:
    """An open authority: its register, its memory, its name and its key."""

    did: str
    key_url: str
    register: Register = field(repr=False)
    ledger: Ledger = field(repr=False)
    signer: Signer = field(repr=False)
    clock: Clock = field(default=system_clock, repr=False)

    def answer(self, token: str) -> str:
        """The signed answer to the signed question `token`.

        Raises a subclass of `QuestionRefused`, or `AuthorityStoreFailed`, `RegisterCorrupt`.
        """
        now = self.clock()
        question = self._open(token)
        if abs(now.timestamp() - question.asked_at) > CLOCK_SKEW.total_seconds():
            raise QuestionClockWrong
        wait = self.ledger.open_question(question, now)
        if wait:
            raise QuestionLimited(seconds=wait)
        passed = self.register.matches(question.person)
        if passed:
            self.ledger.close_as_passed(question)
        return build_answer(
            question,
            token,
            passed=passed,
            authority=self.did,
            at=now,
            signer=self.signer,
            key_url=self.key_url,
        )

    def _open(self, token: str) -> Question:
        if len(token) > MAX_MESSAGE:
            raise QuestionMalformed(field="/")
        try:
            unverified = parse_compact(token, typ=REQUEST_TYPE)
        except CredentialError as error:
            raise QuestionMalformed(field="/") from error
        try:
            did, _ = split_key_url(unverified.kid)
            key = self.ledger.key_of(did)
            if key is None:
                raise QuestionForged
            payload = unverified.verify(key).payload
        except CredentialError as error:
            raise QuestionForged from error
        question = read_question(payload)
        # An authorised issuer must not ask in another's name, nor pass on a question that was
        # meant for another authority.
        if question.issuer != did or question.audience != self.did:
            raise QuestionForged
        return question
