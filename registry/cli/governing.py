"""`zl registry accredit-issuer`, `accredit-verifier`, `entitle`: what the operator records."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from credentials.dids import key_url
from registry.cli.network import OPERATOR
from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import (
    connect,
    home,
    print_json,
    read_json,
    say,
    unlock,
    utc_now,
)
from registry.client import Receipt
from registry.errors import FileUnreadable
from registry.keyring import load_keys
from registry.ledger.entries import Entry, make_entry
from registry.ledger.members import decode_time, encode_time
from schemas.options import AsJson, PassphraseFile
from schemas.scenario import load_scenario, scenario_for_types
from schemas.texts import Texts


def add_governing(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""
    since = Annotated[
        str, typer.Option("--from", help=_("Start, like 2026-11-22T00:00:00Z; else today."))
    ]
    until = Annotated[str, typer.Option("--to", help=_("End; else open."))]
    accreditation = Annotated[
        Path, typer.Argument(help=_("The accreditation file it printed; - for standard input."))
    ]

    def record(
        entry: Entry, urls: list[str] | None, genesis: Path | None, secret: Path | None
    ) -> Receipt:
        keys = load_keys(home(), unlock(_, home(), secret))
        operator = keys[OPERATOR]
        with connect(urls, genesis) as client:
            return client.submit(
                client.genesis.origin, [entry], operator, key_url(operator.public_key)
            )

    def report(json_: bool, entry: Entry, receipt: Receipt) -> None:
        if json_:
            print_json(
                {
                    "index": receipt.indices[0],
                    "repeated": receipt.repeated,
                    "entry": dict(entry.body),
                }
            )
        elif receipt.repeated:
            say(_("The main chain has this already, as entry {index}.", index=receipt.indices[0]))
        else:
            say(_("Recorded as entry {index} of the main chain.", index=receipt.indices[0]))

    @app.command("accredit-issuer", help=_("Accredit an issuer, or record its new keys or end."))
    def accredit_issuer(
        file: accreditation,
        since_: since = "",
        until_: until = "",
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        told = _members(file, "did", "name", "document", "types", "chains", maybe="statusLists")
        entry = make_entry("issuer", **told, **_period(since_, until_))
        report(json_, entry, record(entry, urls, genesis, secret))

    @app.command("accredit-verifier", help=_("Accredit a verifier, or record its new keys or end."))
    def accredit_verifier(
        file: accreditation,
        since_: since = "",
        until_: until = "",
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        told = _members(file, "did", "name", "document")
        entry = make_entry("verifier", **told, **_period(since_, until_))
        report(json_, entry, record(entry, urls, genesis, secret))

    @app.command(help=_("Entitle a verifier to ask for claims of a credential, for a purpose."))
    def entitle(
        identifier: Annotated[str, typer.Argument(help=_("Id of the entitlement."))],
        verifier: Annotated[str, typer.Option(help=_("DID of the verifier."))],
        claim: Annotated[
            list[str],
            typer.Option(help=_("JSON pointer or name of a claim it may ask for; repeat.")),
        ],
        purpose_zh: Annotated[str, typer.Option(help=_("Purpose in Chinese."))],
        purpose_en: Annotated[str, typer.Option(help=_("Purpose in English."))],
        basis_zh: Annotated[str, typer.Option(help=_("Legal basis in Chinese."))],
        basis_en: Annotated[str, typer.Option(help=_("Legal basis in English."))],
        credential_type: Annotated[
            str, typer.Option(help=_("Type of the credential."))
        ] = "ResidentIdentityCredential",
        since_: since = "",
        until_: until = "",
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        scenario = scenario_for_types([credential_type])
        pointers = [c if c.startswith("/") else f"/credentialSubject/{c}" for c in claim]
        for pointer in pointers:
            scenario.claim(pointer)  # raises for a claim that the credential does not have
        entry = make_entry(
            "entitlement",
            id=identifier,
            verifier=verifier,
            credentialType=credential_type,
            claims=pointers,
            purpose={"zh-CN": purpose_zh, "en": purpose_en},
            legalBasis={"zh-CN": basis_zh, "en": basis_en},
            **_period(since_, until_),
        )
        report(json_, entry, record(entry, urls, genesis, secret))

    @app.command(help=_("Record the digests of a scenario's schema and context anew."))
    def resource(
        scenario: Annotated[str, typer.Argument(help=_("Id of the scenario."))],
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        found = load_scenario(scenario)
        for role, name, digest in (
            ("schema", found.schema_url, found.schema_digest),
            ("context", found.context_url, found.context_digest),
        ):
            entry = make_entry("resource", role=role, url=name, digest=digest)
            report(json_, entry, record(entry, urls, genesis, secret))


def _members(path: Path, *names: str, maybe: str | None = None) -> dict[str, Any]:
    told = read_json(path)
    if not isinstance(told, dict) or not set(names) <= set(told):
        raise FileUnreadable(path=path, reason="it is not an accreditation file of this kind")
    return {name: told[name] for name in (*names, maybe) if name is not None and name in told}


def _period(since: str, until: str) -> dict[str, str | None]:
    # Midnight UTC of the day: an accreditation covers what was made valid that morning.
    today = utc_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "from": encode_time(_moment(since) if since else today),
        "to": encode_time(_moment(until)) if until else None,
    }


def _moment(text: str) -> datetime:
    try:
        return decode_time(text)
    except ValueError as error:
        raise typer.BadParameter(text) from error
