"""`zl vc-api`: serve the kernel's operations over the VC-API, on this machine."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.texts import Texts


class Feature(StrEnum):
    """What the suite of VC-JOSE-COSE names."""

    CREDENTIAL_JOSE = "credential_jose"
    CREDENTIAL_SDJWT = "credential_sdjwt"
    CREDENTIAL_COSE = "credential_cose"
    PRESENTATION_JOSE = "presentation_jose"
    PRESENTATION_SDJWT = "presentation_sdjwt"
    PRESENTATION_COSE = "presentation_cose"


def build_app(_: Texts) -> typer.Typer:
    """The role's commands, in the language of `_`."""
    app = typer.Typer(no_args_is_help=True)

    @app.callback(help=_("The VC-API server, for test suites and trials."))
    def root() -> None:
        """Keep `serve` a command of its own, though it is the only one."""

    @app.command(
        help=_(
            "Serve issuing, verifying, deriving and proving over HTTPS on this machine, until a"
            " signal ends it. GET / lists the addresses."
        )
    )
    def serve(
        port: Annotated[int, typer.Option(min=0, max=65535, help=_("0 takes a free one."))] = 0,
        proof_only: Annotated[
            bool,
            typer.Option(
                "--proof-only",
                help=_(
                    "For official test suites: judge structure and proofs alone. Never for"
                    " anything else."
                ),
            ),
        ] = False,
        context: Annotated[
            list[str] | None,
            typer.Option(
                metavar="URL=FILE", help=_("A JSON-LD context to know beside the bundled ones.")
            ),
        ] = None,
        resource: Annotated[
            list[str] | None,
            typer.Option(
                metavar="URL=FILE",
                help=_("Another version of a related resource whose digest is accepted too."),
            ),
        ] = None,
        keys: Annotated[
            Path | None,
            typer.Option(
                help=_("Sealed file that keeps the keys; made if it is not there. Else fresh keys.")
            ),
        ] = None,
        passphrase_file: Annotated[
            Path | None,
            typer.Option("--passphrase-file", help=_("File with the passphrase of the key file.")),
        ] = None,
        json_: Annotated[
            bool, typer.Option("--json", help=_("Say where it listens as one JSON line."))
        ] = False,
    ) -> None:
        from credentials.proofs import ALL_CRYPTOSUITES
        from schemas.passphrase import read_passphrase
        from zhenglian.vc_api.contexts import known_contexts, read_named
        from zhenglian.vc_api.keys import ENVELOPES, fresh_parties, kept_parties
        from zhenglian.vc_api.server import Server

        if keys is None:
            parties = fresh_parties(ALL_CRYPTOSUITES)
        else:
            prompt = _("Passphrase of the key file")
            parties = kept_parties(
                ALL_CRYPTOSUITES, keys, lambda: read_passphrase(passphrase_file, prompt=prompt)
            )
        server = Server(
            parties,
            known_contexts(context or [], conformance=proof_only),
            port=port,
            proof_only=proof_only,
            resources=read_named(resource or []),
        )

        def listening() -> None:
            if proof_only:
                warning = _(
                    "PROOF-ONLY MODE: issuers, validity and status are NOT checked. What this"
                    " server calls verified is not to be relied on. For test suites only."
                )
                print(warning, file=sys.stderr, flush=True)  # noqa: T201 - a warning on the terminal
            if json_:
                told = {
                    "url": server.url,
                    "certificate": server.fingerprint,
                    "mode": "proof-only" if proof_only else "product",
                    "issuers": {
                        name: party.did for name, party in parties.items() if name not in ENVELOPES
                    },
                }
                line = json.dumps(told)
            else:
                line = _(
                    "Listening at {url}; SHA-256 of its certificate: {certificate}",
                    url=server.url,
                    certificate=server.fingerprint,
                )
            print(line, flush=True)  # noqa: T201 - the command's output

        server.run(listening)

    _add_jose_cose(app, _)
    return app


def _add_jose_cose(app: typer.Typer, _: Texts) -> None:
    """The commands that the suite of VC-JOSE-COSE runs, with the arguments that it gives them."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(
        group,
        name="jose-cose",
        help=_("Secure or open one document with a given key, for the suite of VC-JOSE-COSE."),
    )
    source = Annotated[Path, typer.Option("--input", help=_("The document, or the token."))]
    key_file = Annotated[
        Path, typer.Option("--key", help=_("A verification method with its keys as JWK."))
    ]
    kind = Annotated[Feature, typer.Option(help=_("What is secured, and how."))]
    target = Annotated[Path, typer.Option(help=_("File for the result."))]

    @group.command("issue", help=_("Secure a credential or presentation."))
    def issue_(
        input_: source,
        key: key_file,
        feature: kind,
        output: target,
        sd: Annotated[
            str, typer.Option(help=_("What an SD-JWT hides: a JSON list of paths."))
        ] = "",
    ) -> int:
        from zhenglian.vc_api.secured import issue

        return _tell(issue(input_, key, feature.value, sd), output)

    @group.command(
        "verify",
        help=_("Whether the key made the token. Whose key it is, is not asked."),
    )
    def verify_(input_: source, key: key_file, feature: kind, output: target) -> int:
        from zhenglian.vc_api.secured import verify

        return _tell(verify(input_, key, feature.value), output)


def _tell(result: dict[str, Any], output: Path) -> int:
    from schemas.errors import ExitCode
    from zhenglian.vc_api.errors import FileUnusable

    line = json.dumps(result, ensure_ascii=False)
    try:
        output.write_text(line + "\n", encoding="utf-8")
    except OSError as error:
        raise FileUnusable(path=output, reason=error.strerror or "not writable") from error
    print(line)  # noqa: T201 - the command's output
    return int(ExitCode.DONE if result["result"] == "success" else ExitCode.REJECTED)
