"""Whether a submission may stand on its chain: what the rules of the chain and the contracts say.

Two things decide. What no contract can allow stands here: a seal that does not verify, an entry
in somebody else's name, an entry on a closed chain. All else is asked of the contracts in force
(`registry.contracts`), with facts that come from the main chain and the seal alone. Before the
founding submission there are no contracts; it passes because it bears the pinned genesis.

Guaranteed: `permit` passes only what both allow; a contract that fails denies. Whether an entry of
the main chain can follow those before it is for `Governance.check`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from registry.contracts.governance import Governance
from registry.contracts.questions import Asker
from registry.errors import ChainClosed, NotPermitted
from registry.ledger.entries import Entry
from registry.ledger.kinds import KINDS
from registry.ledger.members import Purpose, decode_time
from registry.ledger.submission import Submission, check_seal
from schemas.errors import Phrase

STATUS_TIME_TOLERANCE: Final = timedelta(minutes=10)
"""A status entry's time may differ so much from its seal's: else a list could claim any age."""


def permit(state: Governance, submission: Submission, *, at: int) -> None:
    """Pass a submission that may stand on its chain next, by the rules in `state`.

    `at` is the main-chain index by which contracts are in force: of the first leaf of the
    submission itself, or, on a side chain, of the main-chain submission that records it.
    Raises NotPermitted, ChainClosed, and SealInvalid when its seal does not verify.
    """
    chain = state.chains.get(submission.origin)
    if chain is not None and chain.successor is not None:
        raise ChainClosed(origin=chain.origin, successor=chain.successor)
    wrong = _wrong(state, submission, at)
    if wrong:
        raise NotPermitted(submitter=submission.submitter, origin=submission.origin, reason=wrong)
    check_seal(submission, state.resolver)


def _wrong(state: Governance, submission: Submission, at: int) -> str | None:
    origin, submitter, moment = submission.origin, submission.submitter, submission.time
    purpose = state.purpose_of(origin)
    if purpose is None:
        return "there is no such chain"
    founding = at == 0 and purpose is Purpose.MAIN
    asker = Asker(state, origin, submitter, moment, at)
    passed: set[str] = set()
    for entry in submission.entries:
        kind = KINDS[entry.kind]
        if purpose not in kind.chains:
            return Phrase("the chain does not take entries of kind {kind}", kind=entry.kind)
        if kind.owner is not None and entry[kind.owner] != submitter:
            return Phrase("the {role} of an entry is somebody else", role=kind.owner)
        if founding or kind.action is None:
            # No matter of contracts: what keeps the chain itself going.
            if submitter != state.genesis.operator:
                return "it is not the operator"
            continue
        if entry.kind in passed:
            continue
        wrong = None
        if entry.kind == "status":
            wrong = _status_wrong(state, entry, submitter, moment)
        elif purpose is not Purpose.MAIN:
            passed.add(entry.kind)  # one question for all of them
        wrong = wrong or asker.forbidden(state.contracts.engine(at), entry)
        if wrong:
            return wrong
    return None


def _status_wrong(state: Governance, entry: Entry, submitter: str, moment: datetime) -> str | None:
    if abs(decode_time(entry["time"]) - moment) > STATUS_TIME_TOLERANCE:
        return "the time of a status entry is not that of its seal"
    issuer = state.issuers.get(submitter)
    if issuer is not None and issuer.status_lists:
        if not entry["list"].startswith(issuer.status_lists):
            return "its accreditation does not include the address of this status list"
    elif any(owner != submitter for owner in state.reserved_by(entry["list"])):
        return "the address of the status list belongs to another issuer"
    return None
