"""Rehearsing a contract on the whole history before it is proposed."""

from __future__ import annotations

from collections.abc import Iterator

from registry.contracts import LIBRARY, PolicyText, library_text
from registry.contracts.rehearsal import Rehearsal, rehearse
from registry.simulation.simulator import Consortium
from tests.registry.contracts.texts import ALLOW, FORBID_NOTHING, OPEN
from tests.registry.submissions import anchor


def history(chain: Consortium, text: str, name: str = "anchoring") -> Rehearsal:
    client = chain.client

    def read(origin: str, start: int, end: int) -> Iterator[bytes]:
        yield from (entry.raw for entry in client.entries(origin, start, end))

    return rehearse(
        chain.genesis,
        PolicyText.parse(text, name),
        name,
        size=client.cosigned().size,
        read=read,
    )


def test_rehearsing_what_is_in_force_differs_in_nothing(chain: Consortium) -> None:
    anchor(chain, chain.add_issuer())
    chain.settle()
    for name in LIBRARY:
        report = history(chain, library_text(name), name)
        assert not report.differs, report.to_json()
    assert report.judged == 2  # the accreditation and the anchor
    assert report.probed > 50


def test_rehearsing_names_what_would_have_been_refused(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer)
    chain.settle()
    report = history(chain, FORBID_NOTHING)
    assert report.refused_count == 1
    [one] = report.refused
    assert (one.origin, one.index, one.kind, one.submitter) == (
        chain.genesis.identity_origin,
        0,
        "anchor",
        issuer.did,
    )
    assert {probe.request.action for probe in report.probes} == {"anchor"}


def test_rehearsing_shows_what_would_newly_be_allowed(chain: Consortium) -> None:
    report = history(chain, ALLOW)
    assert report.refused_count == 0
    roles = {probe.request.principal.type for probe in report.probes if probe.allowed}
    assert roles == {"Operator", "Issuer", "Verifier", "Stranger"}
    opened = history(chain, OPEN, "contracts")
    assert any(
        probe.allowed and probe.request.context["name"] == "contracts" for probe in opened.probes
    )
    told = opened.to_json()
    assert told["differs"]
    assert told["allowed"]
