"""`zl wallet`: the citizen's wallet as plain commands; alone, it opens the terminal app.

Personal values, passphrases and transaction codes are read from files, standard input or the
terminal, never from arguments, which every user of the machine can read.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from schemas.errors import ExitCode, ZhenglianError
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.texts import Texts, localize
from wallet.errors import (
    ApplicationInput,
    ChooseIssuer,
    ConsentNeeded,
    InputUnreadable,
    NoVault,
    OneSource,
)
from wallet.service import Wallet
from wallet.sources import Source, read_source
from wallet.vault.guard import write_atomically
from wallet.views import to_json

MAX_GENESIS: int = 64 * 1024
"""Bytes of a genesis file; a longer one is cut, and then no genesis."""
MAX_FIELDS_BYTES: int = 64 * 1024


def build_app(_: Texts) -> typer.Typer:
    """The commands of the wallet, in the language of `_`."""
    from wallet.render import Renderer

    app = typer.Typer(
        help=_("The citizen's wallet. Without a command it opens the terminal app."),
        invoke_without_command=True,
    )
    receipts = typer.Typer(help=_("Receipts that departments hand out."), no_args_is_help=True)
    app.add_typer(receipts, name="receipt")

    from_file = Annotated[
        Path | None, typer.Option("--file", help=_("Read it from this text file."))
    ]
    from_image = Annotated[
        Path | None, typer.Option("--image", help=_("Read it from the code in this picture."))
    ]
    out = Console(highlight=False)
    show = Renderer(out, _)

    def open_wallet(secret: Path | None) -> Wallet:
        home = role_home("wallet")
        if not Wallet.exists(home):
            raise NoVault
        words = read_passphrase(secret, prompt=_("Passphrase of the wallet"))
        return Wallet.open(home, words, language=_.language)

    @app.callback()
    def start(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            from wallet.tui.app import run

            run(role_home("wallet"), language=_.language)

    @app.command(help=_("Make a wallet in this folder of yours (ZL_HOME) and pin the chain."))
    def init(
        registry: Annotated[str, typer.Option(help=_("Address of the registry."))],
        genesis: Annotated[Path, typer.Option(help=_("Genesis file of the chain."))],
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        words = read_passphrase(
            secret, prompt=_("New passphrase of the wallet"), repeat=_("Repeat it")
        )
        try:
            with genesis.open("rb") as stream:
                pinned = stream.read(MAX_GENESIS)
        except OSError as error:
            raise InputUnreadable(reason=error.strerror or "the file cannot be opened") from error
        home = role_home("wallet")
        with Wallet.create(
            home, words, genesis=pinned, registry_url=registry, language=_.language
        ) as wallet:
            problem = None
            try:
                with progress(_) as say:
                    wallet.refresh(progress=say)
            except ZhenglianError as error:
                # The wallet stands; it learns whom to trust when the registry answers.
                problem = localize(error, _.language)
            status = wallet.status()
        if json_:
            _print({"home": str(home), **to_json(status), "problem": problem})
            return
        out.print(_("Your wallet stands in {home}.", home=home))
        if problem is not None:
            out.print(_("The registry could not be asked yet: {message}", **problem))
            out.print(_("Run `zl wallet refresh` later."))

    @app.command(help=_("Fetch a fresh trust bundle, anchor proofs and statuses."))
    def refresh(
        file: Annotated[
            Path | None, typer.Option(help=_("Take the trust bundle from this file instead."))
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet, progress(_) as say:
            report = wallet.load_trust_bundle(file) if file else wallet.refresh(progress=say)
        if json_:
            _print(to_json(report))
        else:
            show.refresh(report)

    # -- getting a credential -----------------------------------------------------------------

    @app.command(help=_("List the issuers that the chain accredits."))
    def issuers(secret: PassphraseFile = None, json_: AsJson = False) -> None:
        with open_wallet(secret) as wallet:
            found = wallet.issuers()
        if json_:
            _print(to_json(found))
        else:
            show.issuers(found)

    @app.command(
        help=_(
            "Apply for a credential. The data comes as JSON from a file or standard input: "
            "name, citizenNumber, sex, birthDate, ethnicity, division."
        )
    )
    def apply(
        issuer: Annotated[
            str | None, typer.Option(help=_("Address or DID; default: the only one there is."))
        ] = None,
        file: Annotated[
            Path | None, typer.Option(help=_("JSON file; default: standard input."))
        ] = None,
        out_offer: Annotated[
            Path | None, typer.Option("--out-offer", help=_("Write the offer to this file."))
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        fields = _read_fields(file)
        with open_wallet(secret) as wallet, progress(_) as say:
            if issuer is None:
                known = wallet.issuers()
                if len(known) != 1:
                    raise ChooseIssuer(count=len(known))
                issuer = known[0].did
            application = wallet.apply(issuer, fields, progress=say)
        if out_offer is not None and application.offer is not None:
            write_atomically(out_offer, application.offer.encode() + b"\n")
        if json_:
            _print(to_json(application))
        else:
            show.application(application)

    @app.command(help=_("List your applications; with an identifier, ask how one stands."))
    def applications(
        number: Annotated[str | None, typer.Argument(help=_("Identifier."))] = None,
        forget: Annotated[
            bool, typer.Option("--forget", help=_("Drop it: it leads nowhere."))
        ] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet, progress(_) as say:
            if forget:
                wallet.forget_application(number or "")
                number = None
            found = (
                wallet.applications()
                if number is None
                else (wallet.check_application(number, progress=say),)
            )
        if json_:
            _print(to_json(found))
            return
        for application in found:
            show.application(application)

    @app.command(help=_("Accept a credential offer: fetch, verify and keep the credential."))
    def accept(
        offer: Annotated[
            str | None, typer.Argument(help=_("The offer (openid-credential-offer://…)."))
        ] = None,
        file: from_file = None,
        image: from_image = None,
        application: Annotated[
            str | None, typer.Option(help=_("Take the offer of this application."))
        ] = None,
        tx_code_file: Annotated[
            Path | None, typer.Option(help=_("File with the transaction code."))
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        code = read_source(tx_code_file) if tx_code_file is not None else None
        with open_wallet(secret) as wallet:
            if application is not None:
                _one_source(offer, file, image, optional=True)
                found = wallet.check_application(application)
                source: Source = found.offer or ""
            else:
                source = _one_source(offer, file, image)
            view = wallet.inspect_offer(source)
            if not json_:
                show.offer(view)
            if view.needs_tx_code and code is None and sys.stdin.isatty():
                code = typer.prompt(_("Transaction code"), hide_input=True)
            with progress(_) as say:
                credential = wallet.accept_offer(view, code, progress=say)
        if json_:
            _print(to_json(credential))
        else:
            show.credential(credential)

    @app.command("list", help=_("List your credentials."))
    def list_(secret: PassphraseFile = None, json_: AsJson = False) -> None:
        with open_wallet(secret) as wallet:
            found, waiting = wallet.credentials(), wallet.applications()
        if json_:
            _print({"credentials": to_json(found), "applications": to_json(waiting)})
            return
        show.credentials(found)
        for application in waiting:
            if application.state != "issued":
                show.application(application)

    @app.command("show", help=_("Show one credential; sensitive values only with --reveal."))
    def show_(
        number: Annotated[str, typer.Argument(help=_("Identifier or its beginning."))],
        reveal: Annotated[bool, typer.Option("--reveal", help=_("Show everything."))] = False,
        document: Annotated[
            Path | None,
            typer.Option(
                "--out-document",
                help=_("Write the credential as issued, with all it holds, to this file."),
            ),
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet:
            credential = wallet.credential(number, reveal=reveal)
            if document is not None:
                issued = wallet.credential_document(credential.id)
                write_atomically(
                    document, json.dumps(issued, ensure_ascii=False, indent=2).encode() + b"\n"
                )
        if json_:
            _print(to_json(credential))
        else:
            show.credential(credential)

    @app.command(help=_("Delete a credential and its key. It cannot be brought back."))
    def remove(
        number: Annotated[str, typer.Argument(help=_("Identifier or its beginning."))],
        yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet:
            credential = wallet.credential(number)
            if not yes and not _confirmed(_("Delete {title}?", title=credential.title)):
                raise typer.Exit(int(ExitCode.REJECTED))
            wallet.remove_credential(credential.id)
        if json_:
            _print({"removed": credential.id})
        else:
            out.print(_("Deleted."))

    # -- answering ----------------------------------------------------------------------------

    @app.command(help=_("Show who asks, why, what would be shown and what would not."))
    def inspect(
        request: Annotated[str | None, typer.Argument(help=_("The request."))] = None,
        file: from_file = None,
        image: from_image = None,
        reveal: Annotated[
            bool, typer.Option("--reveal", help=_("With the values that would be shown."))
        ] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        source = _one_source(request, file, image)
        with open_wallet(secret) as wallet:
            view = wallet.inspect_request(source)
        if json_:
            _print(_without_values(to_json(view)) if not reveal else to_json(view))
        else:
            show.request(view, reveal=reveal)

    @app.command(help=_("Answer a request: make the code that shows exactly what was asked."))
    def answer(
        request: Annotated[str | None, typer.Argument(help=_("The request."))] = None,
        file: from_file = None,
        image: from_image = None,
        credential: Annotated[
            str | None, typer.Option(help=_("Which credential; default: the newest valid one."))
        ] = None,
        out_png: Annotated[Path | None, typer.Option(help=_("Write the code as PNG."))] = None,
        out_text: Annotated[
            Path | None, typer.Option(help=_("Write the code's text to this file."))
        ] = None,
        out_document: Annotated[
            Path | None, typer.Option(help=_("Write the presentation as JSON."))
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", help=_("You consent; do not ask."))] = False,
        override: Annotated[
            bool,
            typer.Option(
                "--override", help=_("Show it although it exceeds the department's entitlement.")
            ),
        ] = False,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        source = _one_source(request, file, image)
        with open_wallet(secret) as wallet:
            view = wallet.inspect_request(source)
            if not yes:
                if json_ or not sys.stdin.isatty():
                    raise ConsentNeeded
                show.request(view, reveal=True)
                if not _confirmed(_("Show this to {verifier}?", verifier=view.verifier_name)):
                    wallet.decline(view)
                    raise typer.Exit(int(ExitCode.REJECTED))
            chosen = credential or (view.candidates[0].credential_id if view.candidates else "")
            ready = wallet.answer(view, chosen, override=override)
        if out_png is not None:
            write_atomically(out_png, ready.png())
        if out_text is not None:
            write_atomically(out_text, ready.qr_text.encode() + b"\n")
        if out_document is not None:
            write_atomically(
                out_document, json.dumps(dict(ready.document), ensure_ascii=False).encode() + b"\n"
            )
        if json_:
            _print(to_json(ready))
            return
        if out_png is None and out_text is None and out_document is None:
            sys.stdout.write(ready.terminal())
        show.ready(ready)

    @app.command(help=_("Refuse a request and keep a note of it."))
    def decline(
        request: Annotated[str | None, typer.Argument(help=_("The request."))] = None,
        file: from_file = None,
        image: from_image = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        source = _one_source(request, file, image)
        with open_wallet(secret) as wallet:
            entry = wallet.decline(wallet.inspect_request(source))
        if json_:
            _print(to_json(entry))
        else:
            out.print(_("Refused. Nothing was sent."))

    # -- accounts -----------------------------------------------------------------------------

    @app.command(help=_("Show what was done with this wallet: names of claims, never values."))
    def history(
        export: Annotated[
            Path | None, typer.Option(help=_("Write the whole history as JSON to this file."))
        ] = None,
        delete: Annotated[
            list[int] | None, typer.Option(help=_("Delete this entry; may be repeated."))
        ] = None,
        delete_all: Annotated[
            bool, typer.Option("--delete-all", help=_("Delete every entry."))
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
        limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet:
            if export is not None:
                whole = json.dumps(wallet.export_history(), ensure_ascii=False, indent=2)
                write_atomically(export, whole.encode() + b"\n")
            if delete or delete_all:
                if not yes and not _confirmed(_("Delete these entries and their receipts?")):
                    raise typer.Exit(int(ExitCode.REJECTED))
                wallet.delete_history(None if delete_all else delete)
            entries = wallet.history(limit=limit)
        if json_:
            _print(to_json(entries))
        else:
            show.history(entries)

    @receipts.command("import", help=_("Check a department's receipt and keep it."))
    def import_(
        file: Annotated[Path, typer.Argument(help=_("Text file or picture."))],
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet:
            receipt = wallet.import_receipt(file)
        if json_:
            _print(to_json(receipt))
        else:
            show.receipt(receipt)

    @app.command(help=_("Show who looked, and whether they accounted for it on the chain."))
    def audit(
        offline: Annotated[
            bool, typer.Option("--offline", help=_("Do not ask the registry."))
        ] = False,
        evidence: Annotated[
            int | None, typer.Option(help=_("Export the evidence for this entry."))
        ] = None,
        out_file: Annotated[
            Path | None, typer.Option("--out", help=_("Where the evidence goes."))
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet, progress(_) as say:
            entries = wallet.audit() if offline else wallet.reconcile(progress=say)
            exported = wallet.export_evidence(evidence) if evidence is not None else None
        if exported is not None:
            text = json.dumps(exported, ensure_ascii=False, indent=2)
            if out_file is None:
                sys.stdout.write(text + "\n")
                return
            write_atomically(out_file, text.encode() + b"\n")
        if json_:
            _print(to_json(entries))
        else:
            show.audit(entries)

    # -- keeping ------------------------------------------------------------------------------

    @app.command(help=_("Write an encrypted copy of the wallet; today's passphrase opens it."))
    def backup(
        file: Annotated[Path, typer.Argument(help=_("Where the backup goes."))],
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        with open_wallet(secret) as wallet:
            wallet.backup(file)
        if json_:
            _print({"backup": str(file)})
        else:
            out.print(_("The backup is in {file}. Keep it apart from this machine.", file=file))

    @app.command(help=_("Bring a wallet back from a backup, where none is."))
    def restore(
        file: Annotated[Path, typer.Argument(help=_("The backup."))],
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        home = role_home("wallet")
        words = read_passphrase(secret, prompt=_("Passphrase of the backup"))
        Wallet.restore(file, home, words)
        if json_:
            _print({"home": str(home)})
        else:
            out.print(_("Your wallet stands in {home}.", home=home))

    @app.command(help=_("Change the passphrase."))
    def passwd(
        new_file: Annotated[
            Path | None,
            typer.Option("--new-passphrase-file", help=_("File with the new passphrase.")),
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        home = role_home("wallet")
        if not Wallet.exists(home):
            raise NoVault
        old = read_passphrase(secret, prompt=_("Passphrase of the wallet"))
        with Wallet.open(home, old, language=_.language) as wallet:
            new = read_passphrase(
                new_file,
                prompt=_("New passphrase of the wallet"),
                repeat=_("Repeat it"),
                environ={},  # ZL_PASSPHRASE_FILE names the old one
            )
            wallet.change_passphrase(old, new)
        if json_:
            _print({"changed": True})
        else:
            out.print(_("The passphrase was changed. Older backups open with the old one."))

    return app


@contextmanager
def progress(_: Texts) -> Iterator[Callable[[str], None] | None]:
    """Steps of long work on the error stream, if a person is watching it."""
    if not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status(_("One moment …")) as line:
        yield line.update


def _one_source(
    text: str | None, file: Path | None, image: Path | None, *, optional: bool = False
) -> Source:
    given = [source for source in (text, file, image) if source is not None]
    if len(given) != 1 and not (optional and not given):
        raise OneSource
    return given[0] if given else ""


def _read_fields(file: Path | None) -> dict[str, Any]:
    from credentials.canonical import parse_json_object
    from credentials.errors import CredentialError

    try:
        if file is None:
            text = sys.stdin.read(MAX_FIELDS_BYTES)
        else:
            with file.open(encoding="utf-8") as stream:
                text = stream.read(MAX_FIELDS_BYTES)
        return parse_json_object(text)
    except OSError as error:
        raise InputUnreadable(reason=os.strerror(error.errno or 0)) from error
    except UnicodeDecodeError as error:
        raise InputUnreadable(reason="the file cannot be read as text") from error
    except CredentialError as error:
        raise ApplicationInput from error


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ConsentNeeded
    return typer.confirm(question)


def _without_values(value: Any) -> Any:
    """The same without the values of claims."""
    if isinstance(value, dict):
        return {
            name: None if name == "value" else _without_values(member)
            for name, member in value.items()
        }
    return [_without_values(item) for item in value] if isinstance(value, list) else value


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
