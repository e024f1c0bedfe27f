"""`zl issuer`: the data administration as commands. Parses, calls `Issuer`, prints.

Personal values come from a file, standard input or questions on the terminal, never from
arguments. Only `show` prints any, and journals that it did.
"""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import CredentialError
from issuer.anchoring import Sent
from issuer.enrolment import FIELDS
from issuer.errors import ApplicationMalformed, SettingsMalformed
from issuer.lifecycle import Action, reasons
from issuer.offers import Offer
from issuer.records import Records
from issuer.service import Issuer
from issuer.settings import (
    ACCREDITATION_FILE,
    AUTHORITY_CLIENT_FILE,
    DEFAULT_OFFER_MINUTES,
    DEFAULT_VALIDITY_DAYS,
    AuthoritySettings,
    Settings,
)
from issuer.times import stamp, system_clock
from registry.ledger.genesis import Genesis
from schemas.errors import Phrase
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.scenario import load_scenario
from schemas.texts import Texts

MAX_APPLICATION_FILE: int = 64 * 1024
"""Bytes of an application file; an honest one has some 200."""


def build_app(_: Texts) -> typer.Typer:
    """The commands of the issuer, in the language of `_`."""
    app = typer.Typer(
        help=_("The data administration: issue, revoke, serve."), no_args_is_help=True
    )
    operator_name = Annotated[
        str | None,
        typer.Option("--operator", help=_("Who acts, for the journal; else the login name.")),
    ]
    states = {
        "waiting": _("waiting"),
        "approved": _("approved"),
        "offered": _("offered"),
        "refused": _("refused"),
        "issued": _("issued"),
        "active": _("active"),
        "suspended": _("suspended"),
        "revoked": _("revoked"),
    }
    console = Console(markup=False)

    @contextmanager
    def opened(secret: Path | None) -> Iterator[Issuer]:
        passphrase = read_passphrase(secret, prompt=_("Passphrase of the issuer"))
        with Issuer.open(role_home("issuer"), passphrase) as issuer:
            yield issuer

    @app.command(
        help=_("Set up an issuer: make its keys and its store, pin registry and authority.")
    )
    def init(
        did: Annotated[str, typer.Option(help=_("DID of the administration (did:web:…)."))],
        name_zh: Annotated[str, typer.Option(help=_("Name in Chinese."))],
        name_en: Annotated[str, typer.Option(help=_("Name in English."))],
        public_url: Annotated[str, typer.Option(help=_("Address under which wallets reach it."))],
        registry: Annotated[
            list[str], typer.Option(help=_("Address of the registry; may be repeated."))
        ],
        genesis: Annotated[Path, typer.Option(help=_("Genesis file of the chain."))],
        authority_url: Annotated[str, typer.Option(help=_("Address of the authority."))],
        authority_facts: Annotated[
            Path, typer.Option(help=_("The authority's public file, authority.json."))
        ],
        authority_certificate: Annotated[
            Path, typer.Option(help=_("Certificate of the authority's server (PEM)."))
        ],
        validity_days: Annotated[
            int, typer.Option(help=_("How long a credential is valid, in days."))
        ] = DEFAULT_VALIDITY_DAYS,
        offer_minutes: Annotated[
            int, typer.Option(help=_("How long an offer is open, in minutes."))
        ] = DEFAULT_OFFER_MINUTES,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        home = role_home("issuer")
        genesis_bytes, certificate = _read(genesis), _read(authority_certificate)
        settings = Settings(
            did=did,
            name={"zh-CN": name_zh, "en": name_en},
            public_url=public_url.rstrip("/"),
            registry_urls=tuple(url.rstrip("/") for url in registry),
            network=Genesis.parse(genesis_bytes).network,
            authority=_authority(authority_url.rstrip("/"), _read(authority_facts), certificate),
            created=stamp(system_clock()),
            validity_days=validity_days,
            offer_minutes=offer_minutes,
        )
        passphrase = read_passphrase(
            secret, prompt=_("New passphrase of the issuer"), repeat=_("Repeat it")
        )
        Issuer.init(
            home,
            settings,
            genesis=genesis_bytes,
            authority_certificate=certificate,
            passphrase=passphrase,
        )
        told = {
            "home": str(home),
            "did": did,
            "accreditation": str(home / ACCREDITATION_FILE),
            "authorityClient": str(home / AUTHORITY_CLIENT_FILE),
        }
        if json_:
            _print(told)
            return
        console.print(_("The issuer stands in {home}.", home=home))
        console.print(
            _(
                "Next: give {path} to the registry's operator and {other} to the authority.",
                path=told["accreditation"],
                other=told["authorityClient"],
            )
        )

    @app.command(help=_("Enrol a citizen at the counter and offer the credential."))
    def issue(
        application: Annotated[
            str | None,
            typer.Option(
                help=_("JSON file with the six fields; - for standard input; else you are asked.")
            ),
        ] = None,
        png: Annotated[
            Path | None, typer.Option(help=_("Write the offer as a QR code to this file."))
        ] = None,
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        data = ask_fields() if application is None else _application(application)
        with opened(secret) as issuer:
            offer = issuer.apply_at_counter(data, actor=_actor(operator))
        tell_offer(offer, png, json_)

    @app.command(help=_("Make a new offer for an approved application; the old one dies."))
    def offer(
        application: Annotated[str, typer.Argument(help=_("Id of the application."))],
        png: Annotated[
            Path | None, typer.Option(help=_("Write the offer as a QR code to this file."))
        ] = None,
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with opened(secret) as issuer:
            made = issuer.offer(application, actor=_actor(operator))
        tell_offer(made, png, json_)

    def change(
        action: Action,
        ids: list[str],
        reason: str,
        operator: str | None,
        secret: Path | None,
        json_: bool,
    ) -> None:
        with opened(secret) as issuer:
            sent = issuer.change(action, ids, reason=reason, actor=_actor(operator))
        if json_:
            _print({"action": action, "credentials": ids, "reason": reason, **asdict(sent)})
            return
        console.print(_("Credentials changed: {count}.", count=len(set(ids))))
        tell_sent(sent)

    ids_of = Annotated[list[str], typer.Argument(help=_("Ids of the credentials."))]

    def allowed(action: Action) -> Any:
        return typer.Option(help=_("One of: {reasons}.", reasons=", ".join(reasons(action))))

    @app.command(help=_("Revoke credentials, for good."))
    def revoke(
        ids: ids_of,
        reason: Annotated[str, allowed("revoke")],
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        change("revoke", ids, reason, operator, secret, json_)

    @app.command(help=_("Suspend credentials until they are reinstated."))
    def suspend(
        ids: ids_of,
        reason: Annotated[str, allowed("suspend")],
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        change("suspend", ids, reason, operator, secret, json_)

    @app.command(help=_("Reinstate suspended credentials."))
    def reinstate(
        ids: ids_of,
        reason: Annotated[str, allowed("reinstate")],
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        change("reinstate", ids, reason, operator, secret, json_)

    @app.command("list", help=_("List credentials, or applications; no passphrase is needed."))
    def list_(
        applications: Annotated[
            bool, typer.Option("--applications", help=_("List applications instead."))
        ] = False,
        state: Annotated[str | None, typer.Option(help=_("Only those in this state."))] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help=_("At most so many."))] = 100,
        json_: AsJson = False,
    ) -> None:
        with Records.at(role_home("issuer")) as records:
            rows: list[dict[str, Any]] = [
                asdict(row)
                for row in (
                    records.applications(state=state, limit=limit)
                    if applications
                    else records.credentials(state=state, limit=limit)
                )
            ]
        if json_:
            _print(rows)
            return
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(_("Id"), no_wrap=True)
        titles = (_("State"), _("Name"), _("Since"))
        for title in titles if applications else (*titles, _("Valid until"), _("Anchor")):
            table.add_column(title, no_wrap=title != _("State"))
        for row in rows:
            known = states.get(row["state"], row["state"])
            if row["reason"]:
                known += f" ({row['reason']})"
            shown = [row["id"], known, row["masked_name"], row["created"][:10]]
            if not applications:
                place = row["anchor_position"]
                shown += [row["valid_until"][:10], _("pending") if place is None else str(place)]
            table.add_row(*shown)
        console.print(table)

    @app.command(help=_("Show one credential or application with its content; this is journalled."))
    def show(
        record: Annotated[str, typer.Argument(help=_("Id of the credential or application."))],
        operator: operator_name = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with opened(secret) as issuer:
            content = issuer.open_record(record, actor=_actor(operator))
            known = issuer.describe(record)
        if json_:
            _print({**known, "content": content})
            return
        for name, value in known.items():
            console.print(f"{name}: {value}", markup=False, highlight=False)
        console.print_json(data=content, ensure_ascii=False)

    @app.command(help=_("Show the operator journal and check that it was not altered."))
    def journal(
        limit: Annotated[int, typer.Option(min=1, max=100_000, help=_("The last so many."))] = 100,
        json_: AsJson = False,
    ) -> None:
        with Records.at(role_home("issuer")) as records:
            entries = records.journal()
        if json_:
            _print([{**asdict(e), "digest": e.digest.hex()} for e in entries[-limit:]])
            return
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        for title in (_("No."), _("Time (UTC)"), _("Operator"), _("Action")):
            table.add_column(title, no_wrap=title != _("Operator"))
        table.add_column(_("Record"), no_wrap=True)
        table.add_column(_("Reason"))
        for e in entries[-limit:]:
            at = e.time[:16].replace("T", " ")
            table.add_row(str(e.sequence), at, e.actor, e.action, e.target, e.reason or "")
        console.print(table)

    @app.command(help=_("Ask the authority again about waiting applications, then publish."))
    def retry(secret: PassphraseFile = None, json_: AsJson = False) -> None:
        with opened(secret) as issuer:
            chore = issuer.retry(everything=True)
        if json_:
            _print(asdict(chore))
            return
        console.print(
            _(
                "{offered} offered, {refused} refused, {waiting} still waiting.",
                offered=len(chore.offered),
                refused=len(chore.refused),
                waiting=chore.waiting,
            )
        )
        tell_sent(chore.sent)

    @app.command(help=_("Sign the status lists that changed and bring them to the registry."))
    def publish(
        everything: Annotated[
            bool, typer.Option("--all", help=_("Sign every list anew, changed or not."))
        ] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with opened(secret) as issuer:
            sent = issuer.publish(everything=everything)
        if json_:
            _print(asdict(sent))
        else:
            tell_sent(sent)

    @app.command(help=_("Bring pending anchors to the registry."))
    def anchor(secret: PassphraseFile = None, json_: AsJson = False) -> None:
        with opened(secret) as issuer:
            sent = issuer.anchor()
        if json_:
            _print(asdict(sent))
        else:
            tell_sent(sent)

    @app.command(help=_("Serve wallets until stopped."))
    def serve(
        host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
        port: Annotated[
            int, typer.Option(min=0, max=65535, help=_("Port; 0 takes a free one."))
        ] = 8080,
        tls_certificate: Annotated[
            Path | None, typer.Option(help=_("Certificate of this server (PEM)."))
        ] = None,
        tls_key: Annotated[
            Path | None, typer.Option(help=_("Private key of the certificate (PEM)."))
        ] = None,
        behind_proxy: Annotated[
            bool, typer.Option("--behind-proxy", help=_("A proxy in front ends TLS."))
        ] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        from issuer.server import Address, log_to_stderr
        from issuer.server import serve as run

        address = Address(host, port, tls_certificate, tls_key, behind_proxy)
        address.check()
        log_to_stderr()

        def announce(url: str) -> None:
            if json_:
                _print({"listening": url})
            else:
                console.print(_("Serving at {url}; stop with Ctrl-C.", url=url))
            sys.stdout.flush()

        with opened(secret) as issuer:
            run(issuer, address, announce=announce)

    def ask_fields() -> dict[str, str]:
        claims = {claim.name: claim for claim in load_scenario("resident-identity").claims}
        return {
            name: typer.prompt(f"{claims[name].label[_.language]} ({name})").strip()
            for name in FIELDS
        }

    def tell_offer(offer: Offer, png: Path | None, json_: bool) -> None:
        from credentials.qr import draw

        if png is not None:
            _write(png, draw(offer.text, "png"))
        if json_:
            _print(
                {
                    "application": offer.application,
                    "offer": offer.text,
                    "expires": stamp(offer.expires),
                }
            )
            return
        console.print(_("Application {id} is approved.", id=offer.application))
        console.print(
            _(
                "The transaction code goes to the citizen separately. The offer, until {time}:",
                time=stamp(offer.expires),
            )
        )
        console.print(offer.text, markup=False, highlight=False, soft_wrap=True)

    def tell_sent(sent: Sent) -> None:
        console.print(
            _(
                "{anchored} anchors and {published} status lists reached the registry.",
                anchored=sent.anchored,
                published=sent.published,
            )
        )
        if sent.pending:
            console.print(
                _(
                    "{pending} entries still wait ({trouble}); the server or `zl issuer anchor` "
                    "sends them later.",
                    pending=sent.pending,
                    trouble=sent.trouble,
                )
            )

    _mount_authority(app, _)
    return app


def _mount_authority(app: typer.Typer, texts: Texts) -> None:
    from issuer.authority.cli import build_app as build_authority

    app.add_typer(build_authority(texts), name="authority")


def _authority(url: str, facts: bytes, certificate: bytes) -> AuthoritySettings:
    """What to pin of the authority; its file and its certificate must belong together."""
    try:
        told = parse_json_object(facts)
        presented = x509.load_pem_x509_certificate(certificate).fingerprint(SHA256()).hex()
    except (CredentialError, ValueError) as error:
        raise SettingsMalformed(reason="the authority's file or certificate is unusable") from error
    if told.get("certificateSha256") != presented:
        raise SettingsMalformed(reason="the authority's file names another certificate")
    did, key = told.get("did"), told.get("key")
    if not isinstance(did, str) or not isinstance(key, str):
        raise SettingsMalformed(reason="the authority's file names no DID or no key")
    return AuthoritySettings(url, did, key)


def _actor(named: str | None) -> str:
    return (named or getpass.getuser()).strip()[:64] or "unknown"


def _application(source: str) -> dict[str, Any]:
    raw = sys.stdin.buffer.read(MAX_APPLICATION_FILE + 1) if source == "-" else _read(Path(source))
    if len(raw) > MAX_APPLICATION_FILE:
        raise ApplicationMalformed(field="application", rule="too long")
    try:
        return dict(parse_json_object(raw))
    except CredentialError as error:
        raise ApplicationMalformed(field="application", rule="a JSON object") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(1024 * 1024)
    except OSError as error:
        raise SettingsMalformed(reason=Phrase("{name} cannot be read", name=path.name)) from error


def _write(path: Path, content: bytes | str) -> None:
    from issuer.files import write_private

    write_private(path, content.encode() if isinstance(content, str) else content)


def _print(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False))  # noqa: T201 - the command's output
