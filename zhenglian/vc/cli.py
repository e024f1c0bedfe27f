"""`zl vc`: verify, derive and issue one credential in a file, with no server and no chain."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.options import AsJson
from schemas.texts import Texts


def build_app(_: Texts) -> typer.Typer:
    """The role's commands, in the language of `_`."""
    app = typer.Typer(no_args_is_help=True)
    source = Annotated[
        str, typer.Argument(metavar="FILE", help=_("The credential, or - for standard input."))
    ]
    contexts = Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="URL=FILE",
            help=_("A JSON-LD context to know beside the bundled ones."),
        ),
    ]
    did_documents = Annotated[
        list[Path] | None,
        typer.Option(
            "--did-document",
            help=_("A DID document to trust, for an issuer whose key is not in its name."),
        ),
    ]
    out_file = Annotated[
        Path | None, typer.Option("--out", help=_("Write the credential to this file."))
    ]

    @app.callback(
        help=_("Credentials as files: verify, derive, issue. Asks no server and no chain.")
    )
    def root() -> None:
        """Only the help."""

    @app.command(
        help=_(
            "Verify a credential: JSON with a proof or an envelope, a JWT, an SD-JWT, COSE,"
            " CBOR-LD, or the text of a code. Whether its issuer is accredited is not asked."
        )
    )
    def verify(
        source: source,
        status_list: Annotated[
            list[Path] | None,
            typer.Option(help=_("A status list that the credential names, as it was fetched.")),
        ] = None,
        did_document: did_documents = None,
        context: contexts = None,
        base: Annotated[
            bool,
            typer.Option(
                "--base",
                help=_("Accept the issuer's base proof, which nobody but the holder should have."),
            ),
        ] = False,
        json_: AsJson = False,
    ) -> None:
        from zhenglian.vc.files import verify_file

        accepted = verify_file(
            source,
            lists=status_list or (),
            documents=did_document or (),
            contexts=context or (),
            accept_base=base,
        )
        if json_:
            told = {
                "answer": "accepted",
                "issuer": accepted.issuer,
                "type": list(accepted.types),
                "checks": list(accepted.checks),
            }
            print(json.dumps(told, ensure_ascii=False))  # noqa: T201 - the command's output
            return
        from rich.console import Console

        names = {
            "proof": _("signature"),
            "issuer": _("issuer's own key"),
            "validity": _("validity period"),
            "status": _("status"),
        }
        console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        issuer = accepted.issuer or "?"
        console.print(_("ACCEPTED: signed by {issuer}.", issuer=_plain(issuer)))
        listed = ", ".join(names[check] for check in accepted.checks)
        console.print(_("Checked: {checks}.", checks=listed))

    @app.command(help=_("Verify a credential that you hold and write one that shows a part of it."))
    def derive(
        source: source,
        show: Annotated[
            list[str],
            typer.Option(
                metavar="POINTER",
                help=_("What to show, as a JSON pointer: /credentialSubject/name. Repeatable."),
            ),
        ],
        did_document: did_documents = None,
        context: contexts = None,
        out: out_file = None,
        json_: AsJson = False,
    ) -> None:
        from zhenglian.vc.files import derive_file

        found = derive_file(source, show, documents=did_document or (), contexts=context or ())
        _tell(found, out, json_)

    @app.command(help=_("Sign a credential with a key of a key file of `zl vc-api serve`."))
    def issue(
        source: source,
        keys: Annotated[
            Path, typer.Option(help=_("Sealed file with the keys; made if it is not there."))
        ],
        cryptosuite: Annotated[
            str, typer.Option(help=_("Such as ecdsa-rdfc-2019, ecdsa-sd-2023 or bbs-2023."))
        ] = "ecdsa-rdfc-2019",
        mandatory: Annotated[
            list[str] | None,
            typer.Option(
                metavar="POINTER",
                help=_("What else than the frame every derived credential shows."),
            ),
        ] = None,
        context: contexts = None,
        passphrase_file: Annotated[
            Path | None,
            typer.Option("--passphrase-file", help=_("File with the passphrase of the key file.")),
        ] = None,
        out: out_file = None,
        json_: AsJson = False,
    ) -> None:
        from schemas.passphrase import read_passphrase
        from zhenglian.vc.files import issue_file

        prompt = _("Passphrase of the key file")
        found = issue_file(
            source,
            keys=keys,
            passphrase=lambda: read_passphrase(passphrase_file, prompt=prompt),
            cryptosuite=cryptosuite,
            mandatory=mandatory or (),
            contexts=context or (),
        )
        _tell(found, out, json_)

    return app


def _plain(text: str) -> str:
    """An issuer's name may come from a hostile file: it must not steer the screen."""
    from schemas.errors import printable

    return str(printable(text))


def _tell(document: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from zhenglian.vc.files import write_file

    text = json.dumps(document, ensure_ascii=False, indent=None if as_json else 2) + "\n"
    if out is not None:
        write_file(out, text)
    else:
        print(text, end="")  # noqa: T201 - the command's output
