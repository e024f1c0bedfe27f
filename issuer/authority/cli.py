"""`zl issuer authority`: the reference authority as commands. Parses, calls, prints."""

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from credentials.keys import PublicKey
from issuer.authority.home import (
    CERTIFICATE_FILE,
    LEDGER_FILE,
    PUBLIC_FILE,
    REGISTER_FILE,
    USUAL_DID,
    create,
    open_authority,
    public_facts,
    read_issuer_key,
)
from issuer.authority.ledger import Ledger
from issuer.authority.register import LEAST_SIZE, USUAL_SEED, USUAL_SIZE, Register
from issuer.times import system_clock
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.texts import Texts

MAX_SAMPLE: int = 1000
ADULT: timedelta = timedelta(days=18 * 366)


def build_app(_: Texts) -> typer.Typer:
    """The commands of the authority, in the language of `_`."""
    app = typer.Typer(
        help=_("A reference population register that confirms citizens' data. All synthetic."),
        no_args_is_help=True,
    )
    issuer_file = _("JSON file with did and publicKeyMultibase of an issuer that may ask.")
    console = Console(markup=False)

    @app.command(help=_("Make the authority: keys, certificate and the synthetic register."))
    def init(
        issuer_key: Annotated[Path | None, typer.Option(help=issuer_file)] = None,
        did: Annotated[str, typer.Option(help=_("DID of the authority."))] = USUAL_DID,
        host: Annotated[
            list[str] | None,
            typer.Option(help=_("Further name or address of the server; may be repeated.")),
        ] = None,
        seed: Annotated[
            str, typer.Option(help=_("The same seed makes the same residents."))
        ] = USUAL_SEED,
        residents: Annotated[
            int, typer.Option(help=_("How many residents; at least {least}.", least=LEAST_SIZE))
        ] = USUAL_SIZE,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        home = role_home("authority")
        # Before anything is written: a bad file must not leave half an authority.
        issuer = read_issuer_key(issuer_key) if issuer_key else None
        words = read_passphrase(
            secret, prompt=_("New passphrase of the authority"), repeat=_("Repeat it")
        )
        facts = create(
            home, words, did=did, hosts=tuple(host or ()), seed=seed, residents=residents
        )
        if issuer:
            _authorise(home, *issuer)
        told: dict[str, Any] = {
            **facts.as_json(),
            "residents": residents,
            "home": str(home),
            "certificate": str(home / CERTIFICATE_FILE),
            "issuers": [issuer[0]] if issuer else [],
        }
        if json_:
            _print(told)
            return
        console.print(_("The authority stands in {home}.", home=home))
        console.print(_("Its register holds {count} synthetic residents.", count=residents))
        console.print(
            _(
                "Next: `zl issuer authority serve`; issuers pin {public} and {certificate}.",
                public=home / PUBLIC_FILE,
                certificate=home / CERTIFICATE_FILE,
            )
        )

    @app.command(help=_("Let an issuer ask. Works while the server runs."))
    def authorise(
        issuer_key: Annotated[Path, typer.Option(help=issuer_file)],
        json_: AsJson = False,
    ) -> None:
        home = role_home("authority")
        public_facts(home)
        did, key = read_issuer_key(issuer_key)
        _authorise(home, did, key)
        if json_:
            _print({"issuer": did, "publicKeyMultibase": key.multikey()})
        else:
            console.print(_("{issuer} may ask now.", issuer=did))

    @app.command(help=_("Serve questions over HTTPS until interrupted."))
    def serve(
        host: Annotated[str, typer.Option(help=_("Address to listen at."))] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=_("Port; 0 takes a free one."))] = 8440,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        import logging

        from issuer.authority.server import AuthorityServer

        home = role_home("authority")
        public_facts(home)
        words = read_passphrase(secret, prompt=_("Passphrase of the authority"))
        # Outcomes and codes only; see the server's promise.
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
        logging.getLogger("zhenglian.authority").setLevel(logging.INFO)
        with open_authority(home, words) as opened:
            server = AuthorityServer(opened, host=host, port=port)

            def announce(url: str) -> None:
                if json_:
                    _print({"listening": url, "did": opened.authority.did})
                else:
                    console.print(_("The authority answers at {url}.", url=url))
                sys.stdout.flush()

            server.run(announce)

    @app.command(help=_("Show name, keys, issuers and how many questions were answered how."))
    def show(json_: AsJson = False) -> None:
        home = role_home("authority")
        facts = public_facts(home)
        register = Register(home / REGISTER_FILE)
        ledger = Ledger(home / LEDGER_FILE)
        told: dict[str, Any] = {
            **facts.as_json(),
            "home": str(home),
            "certificate": str(home / CERTIFICATE_FILE),
            "residents": register.facts.residents,
            "seed": register.facts.seed,
            "issuers": [
                {"did": issuer.did, "publicKeyMultibase": issuer.key.multikey()}
                for issuer in ledger.issuers()
            ],
            "questions": [asdict(tally) for tally in ledger.tallies()],
        }
        register.close()
        ledger.close()
        if json_:
            _print(told)
            return
        console.print(facts.did, highlight=False)
        console.print(_("Key: {key}", key=facts.key), soft_wrap=True)
        console.print(
            _("Certificate (SHA-256): {digest}", digest=facts.certificate_sha256), soft_wrap=True
        )
        console.print(_("Its register holds {count} synthetic residents.", count=told["residents"]))
        for issuer in told["issuers"]:
            console.print(_("May ask: {issuer}", issuer=issuer["did"]), soft_wrap=True)
        outcomes = {
            "pass": _("confirmed"),
            "fail": _("not confirmed"),
            "limited": _("not looked at"),
        }
        for tally in told["questions"]:
            console.print(
                _(
                    "{issuer}: {count} {outcome}",
                    issuer=tally["issuer"],
                    count=tally["count"],
                    outcome=outcomes[tally["outcome"]],
                ),
                soft_wrap=True,
            )

    @app.command(help=_("Print synthetic residents to apply as, for demonstrations."))
    def sample(
        count: Annotated[int, typer.Argument(min=1, max=MAX_SAMPLE)] = 1,
        adults: Annotated[
            bool, typer.Option("--adults", help=_("Only residents who have turned 18."))
        ] = False,
        json_: AsJson = False,
    ) -> None:
        home = role_home("authority")
        public_facts(home)
        register = Register(home / REGISTER_FILE)
        until = (system_clock() - ADULT).date().isoformat() if adults else "9999-12-31"
        residents = [r.as_json() for r in register.sample(count, born_until=until)]
        register.close()
        if json_:
            _print({"synthetic": True, "residents": residents})
            return
        for resident in residents:
            console.print(" ".join(resident.values()), highlight=False, soft_wrap=True)

    return app


def _authorise(home: Path, did: str, key: PublicKey) -> None:
    ledger = Ledger(home / LEDGER_FILE)
    ledger.authorise(did, key, at=system_clock())
    ledger.close()


def _print(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False))  # noqa: T201 - the answer for machines
