"""`zl verifier`: the desk as commands. Parses, calls `Desk`, prints."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from credentials.qr import draw
from registry.client import RegistryClient
from registry.trust import Genesis
from registry.trust.container import MAX_BUNDLE_BYTES
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.texts import Texts
from verifier.desk import Desk, Verdict, check_writable, read_file, write_whole
from verifier.errors import FileUnusable
from verifier.render import labels, verdict_json, verdict_panel
from verifier.settings import (
    ACCREDITATION_FILE,
    Settings,
    create_desk,
    key_is_sealed,
    load_key,
    load_settings,
)

MAX_INPUT: int = 256 * 1024
"""Bytes of a presentation file: a large one is a hundred times smaller."""

RECEIPT_ROOM: int = 16 * 1024
"""Bytes that a receipt may take: some two thousand, and more with long purposes."""


def build_app(_: Texts) -> typer.Typer:
    """The commands of the desk, in the language of `_`."""
    app = typer.Typer(
        help=_("The department's desk: ask, scan, verify offline."), no_args_is_help=True
    )
    # Names and purposes come from the chain: what looks like markup in them is only text.
    console = Console(markup=False, highlight=False)

    def open_desk(secret: Path | None) -> Desk:
        home = role_home("verifier")
        settings = load_settings(home)
        sealed = key_is_sealed(home)
        words = read_passphrase(secret, prompt=_("Passphrase of the desk")) if sealed else None
        return Desk(home, settings, load_key(home, words))

    @app.command(help=_("Set up a desk: make its key, pin the genesis of the chain."))
    def init(
        did: Annotated[str, typer.Option(help=_("DID of the department (did:web:…)."))],
        name_zh: Annotated[str, typer.Option(help=_("Name in Chinese."))],
        name_en: Annotated[str, typer.Option(help=_("Name in English."))],
        registry: Annotated[
            list[str], typer.Option(help=_("Address of the registry; may be repeated."))
        ],
        genesis: Annotated[Path, typer.Option(help=_("Genesis file of the chain."))],
        secret: PassphraseFile = None,
        unencrypted_key: Annotated[
            bool, typer.Option("--unencrypted-key", help=_("Leave the key unencrypted."))
        ] = False,
        json_: AsJson = False,
    ) -> None:
        home = role_home("verifier")
        words = (
            None
            if unencrypted_key
            else read_passphrase(
                secret, prompt=_("New passphrase of the desk"), repeat=_("Repeat it")
            )
        )
        settings = Settings(did, {"zh-CN": name_zh, "en": name_en}, tuple(registry))
        accreditation = create_desk(home, settings, Genesis.load(genesis).entry.raw, words)
        path = home / ACCREDITATION_FILE
        if json_:
            _print({"home": str(home), "accreditation": str(path), **accreditation})
            return
        console.print(_("The desk stands in {home}.", home=home))
        console.print(
            _(
                "Next: give {path} to the registry's operator, then run `zl verifier sync`.",
                path=path,
            )
        )

    @app.command(help=_("Fetch a trust bundle and hand access records to the chain."))
    def sync(
        file: Annotated[
            Path | None, typer.Option(help=_("Take the trust bundle from this file instead."))
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_desk(secret) as desk:
            if file is not None:
                bundle = desk.import_bundle(read_file(file, MAX_BUNDLE_BYTES))
                told: dict[str, Any] = {
                    "mainSize": bundle.main_checkpoint.size,
                    "trustBundleTime": bundle.time.isoformat(),
                }
                sentence = _("The trust bundle of {time} was taken.", time=bundle.time)
            else:
                with console.status(_("Asking the registry …")) if not json_ else _Quiet():
                    report = desk.sync(RegistryClient(desk.settings.registry, desk.genesis))
                told = {
                    "mainSize": report.main_size,
                    "trustBundleTime": report.bundle_time.isoformat(),
                    "recordsSubmitted": report.records_submitted,
                    "recordsWaiting": report.records_waiting,
                }
                sentence = _(
                    "Synchronised: the chain as of {time}, {submitted} access records handed over.",
                    time=report.bundle_time.strftime("%Y-%m-%d %H:%M UTC"),
                    submitted=report.records_submitted,
                )
        if json_:
            _print(told)
        else:
            console.print(sentence)

    @app.command(help=_("List what the chain entitles this desk to ask for."))
    def entitlements(secret: PassphraseFile = None, json_: AsJson = False) -> None:
        with open_desk(secret) as desk:
            found = desk.entitlements()
        rows = [
            {
                "id": e.id,
                "credentialType": e.credential_type,
                "claims": list(e.claims),
                "purpose": dict(e.purpose),
                "legalBasis": dict(e.legal_basis),
            }
            for e in found
        ]
        if json_:
            _print(rows)
            return
        for e in found:
            console.print(Text.assemble((e.id, "bold"), f"  {e.purpose[_.language]}"))
            console.print("  " + labels(e.credential_type, e.claims, _.language))
        if not found:
            console.print(_("None. Ask the registry's operator."))

    @app.command(help=_("Make a request to show to a citizen."))
    def request(
        entitlement: Annotated[str, typer.Argument(help=_("Identifier of the entitlement."))],
        claim: Annotated[
            list[str] | None,
            typer.Option(
                help=_("A claim to ask for, such as name; default: all that are allowed.")
            ),
        ] = None,
        minutes: Annotated[int, typer.Option(min=1, max=60, help=_("Minutes it stays open."))] = 5,
        out_png: Annotated[Path | None, typer.Option(help=_("Write the code as PNG."))] = None,
        out_text: Annotated[Path | None, typer.Option(help=_("Write the request as text."))] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_desk(secret) as desk:
            made = desk.request(
                entitlement,
                [_pointer(name) for name in claim] if claim else None,
                ttl=timedelta(minutes=minutes),
            )
        if out_png is not None:
            write_whole(out_png, draw(made.qr_text, "png"))
        if out_text is not None:
            write_whole(out_text, made.uri.encode() + b"\n")
        if json_:
            _print(
                {
                    "nonce": made.nonce,
                    "uri": made.uri,
                    "claims": list(made.claims),
                    "expires": made.expires.isoformat(),
                }
            )
            return
        if out_png is None and out_text is None:
            sys.stdout.write(draw(made.qr_text, "terminal"))
        console.print(
            _(
                "Open until {time}. Asks for: {claims}.",
                time=made.expires.strftime("%H:%M:%S UTC"),
                claims=labels(made.credential_type, made.claims, _.language),
            )
        )

    def reserve(receipt_to: Path | None) -> None:
        """An answer counts once: that its receipt cannot be written must show before it is used."""
        if receipt_to is not None:
            check_writable(receipt_to, RECEIPT_ROOM)

    def answer(verdict: Verdict, receipt_to: Path | None, json_: bool) -> None:
        if receipt_to is not None and verdict.receipt is not None:
            write_whole(receipt_to, verdict.receipt.encode() + b"\n")
        if json_:
            _print(verdict_json(verdict, _.language))
        else:
            console.print(verdict_panel(verdict, _))
        raise typer.Exit(int(verdict.exit_code))

    receipt_option = Annotated[
        Path | None,
        typer.Option("--receipt", help=_("Write the receipt for the citizen to this file.")),
    ]

    @app.command(help=_("Verify a presentation given as text or JSON (a file, or - for input)."))
    def verify(
        source: Annotated[str, typer.Argument(help=_("File, or - for standard input."))],
        receipt: receipt_option = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        data = sys.stdin.buffer.read(MAX_INPUT + 1) if source == "-" else _read(Path(source))
        # What is no UTF-8 is no presentation either; the desk says so and keeps a note of it.
        text = data.decode("utf-8", "replace")
        reserve(receipt)
        with open_desk(secret) as desk:
            answer(desk.verify(text.strip()), receipt, json_)

    @app.command(help=_("Read the code in a picture and verify it."))
    def scan(
        picture: Annotated[Path, typer.Argument(help=_("PNG or JPEG file."))],
        receipt: receipt_option = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        reserve(receipt)
        with open_desk(secret) as desk:
            answer(desk.scan(picture), receipt, json_)

    @app.command(help=_("Show the journal: every look, and what the chain holds of it."))
    def journal(
        limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_desk(secret) as desk:
            looks, records = desk.looks(limit), desk.records(limit)
        if json_:
            _print(
                {
                    "looks": [
                        {
                            "at": look.at.isoformat(),
                            "answer": look.answer,
                            "decidedBy": look.decided_by or None,
                            "code": look.code or None,
                            "presentation": look.presentation,
                        }
                        for look in looks
                    ],
                    "accessRecords": [
                        {
                            "commitment": row.commitment,
                            "record": row.record,
                            "promisedBy": row.promised_by.isoformat(),
                            "chainIndex": row.chain_index,
                        }
                        for row in records
                    ],
                }
            )
            return
        for look in looks:
            tail = f"  {look.decided_by} {look.code}" if look.code else ""
            console.print(f"{look.at:%Y-%m-%d %H:%M:%S}  {look.answer}{tail}", highlight=False)
        waiting = sum(1 for row in records if row.chain_index is None)
        console.print(
            _(
                "{all} access records, {waiting} waiting for the chain.",
                all=len(records),
                waiting=waiting,
            )
        )

    return app


def _pointer(name: str) -> str:
    """A claim by its short name or by its JSON pointer."""
    if name.startswith("/"):
        return name
    return "/evidence" if name == "evidence" else f"/credentialSubject/{name}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_INPUT + 1)
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unreadable") from error


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


class _Quiet:
    """No progress line: the output is for a machine."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_args: object) -> None:
        return None
