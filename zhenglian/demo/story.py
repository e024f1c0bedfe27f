"""The story of the demonstration: a citizen's credential from application to revocation.

Every step runs the commands that a person would type, in processes of their own, and fails the
demonstration when a command ends otherwise than the story says. Nothing is pretended: the
residents are synthetic, everything else is the product.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.client import RegistryClient
from registry.errors import EntryUnknown
from registry.trust import Genesis
from schemas.errors import ExitCode, ZhenglianError
from schemas.texts import Texts
from zhenglian.demo.account import Account
from zhenglian.demo.processes import Stage, reserved_port
from zhenglian.demo.tamper import change_the_name

NETWORK: Final = "hangzhou.zhenglian.example"
ISSUER_DID: Final = "did:web:data.hangzhou.example"
HOUSING_DID: Final = "did:web:housing.hangzhou.example"
LIBRARY_DID: Final = "did:web:library.hangzhou.example"
NODES: Final = (
    ("data-resources", "数据资源管理局", "Data Resources Administration"),
    ("public-security", "公安局", "Public Security Bureau"),
    ("housing", "住房保障和房产管理局", "Housing Administration"),
    ("civil-affairs", "民政局", "Civil Affairs Bureau"),
)
MARKER: Final = ".zhenglian-demo"
WAIT_S: Final = 60.0
"""Longer than any machine needs: only a defect takes all of it."""


class NoCheckpoint(ZhenglianError):
    """The quorum did not cosign in time."""

    code = "ZL-DEMO-CHECKPOINT"
    exit_code = ExitCode.ENVIRONMENT
    message = "No cosigned checkpoint came within {seconds} seconds."
    hint = "Read the logs of the registry and its nodes in the folder of the demonstration."


class CheckpointWithoutQuorum(ZhenglianError):
    """What must never happen: a checkpoint was accepted that two of four nodes cosigned."""

    code = "ZL-DEMO-QUORUM"
    exit_code = ExitCode.REJECTED
    message = "A checkpoint of size {size} was accepted without a quorum."
    hint = "This is a defect of the chain; please report it with the folder of the demonstration."


class OtherReason(ZhenglianError):
    """A step ended as expected, but for another reason."""

    code = "ZL-DEMO-REASON"
    exit_code = ExitCode.ENVIRONMENT
    message = "The story expects {expected}; it was {got}."
    hint = "Read the logs in the folder of the demonstration."


class FolderTaken(ZhenglianError):
    """The folder holds something that this demonstration did not make."""

    code = "ZL-DEMO-FOLDER"
    exit_code = ExitCode.USAGE
    message = "The folder {folder} holds something else than an earlier demonstration."
    hint = "Name another folder with --out; nothing was touched."


@dataclass
class Scene:
    """What the steps share."""

    stage: Stage
    account: Account
    _: Texts
    folder: Path
    registry: str = ""
    genesis: Path = Path()
    credential: str = ""
    nodes: dict[str, tuple[str | Path, ...]] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        return self.folder / name


def tell(out: Path, texts: Texts, *, as_json: bool) -> None:
    """Run the demonstration in `out`. Raises `StepFailed` or a role's own error."""
    folder = _fresh(out)
    account = Account(texts, as_json)
    with Stage(folder, texts.language) as stage:
        scene = Scene(stage, account, texts, folder)
        _found_the_network(scene)
        _open_the_offices(scene)
        _refuse_false_data(scene)
        _issue(scene)
        _verify_at_the_counter(scene)
        _attack(scene)
        _lose_nodes(scene)
        _revoke(scene)
        _account_for_the_look(scene)
    _farewell(scene, out)


def _fresh(out: Path) -> Path:
    folder = out.resolve()
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise FolderTaken(folder=out)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    secret = folder / "passphrase.txt"
    secret.touch(mode=0o600)
    secret.write_text(f"demo-{secrets.token_urlsafe(12)}\n", encoding="utf-8")
    return folder


def _wait_until(what: Callable[[], bool], seconds: float = WAIT_S) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.2)
    return False


def _found_the_network(scene: Scene) -> None:
    _, run, serve = scene._, scene.stage.run, scene.stage.serve
    scene.account.chapter(_("The chain"))
    files = []
    for name, zh, en in NODES:
        made = run(
            *("registry", "node", "init", name, "--network", NETWORK, "--unencrypted-keys"),
            *("--title-zh", zh, "--title-en", en),
        )
        path = scene.file(f"node-{name}.json")
        path.write_text(json.dumps(made.data, ensure_ascii=False) + "\n", encoding="utf-8")
        files.append(path)
    founded = run(
        *("registry", "init", "--network", NETWORK),
        *(word for path in files for word in ("--node", path)),
    )
    scene.genesis = Path(founded.data["genesis"])
    scene.account.step(
        "network",
        _("A network of four department nodes is founded; three must cosign."),
        origin=founded.data["main"],
        nodes=founded.data["nodes"],
    )
    scene.registry = serve("registry", "registry", "serve", "--port", "0")
    addresses = []
    for name, _zh, _en in NODES:
        words = (
            *("registry", "node", "serve", name),
            *("--registry", scene.registry, "--genesis", scene.genesis),
        )
        url = serve(f"node-{name}", *words, "--port", "0")
        # The same port when it comes back, so that the registry finds it again.
        scene.nodes[name] = (*words, "--port", url.rpartition(":")[2])
        addresses.append(f"{name}={url}")
    run("registry", "connect", *addresses)
    if not _wait_until(lambda: _cosigned(scene) > 0):
        raise NoCheckpoint(seconds=WAIT_S)
    scene.account.step(
        "nodes",
        _("Registry and nodes run as five processes; the first checkpoint is cosigned."),
        size=_cosigned(scene),
    )


def _status(scene: Scene) -> dict[str, Any]:
    with RegistryClient(scene.registry, Genesis.load(scene.genesis)) as client:
        return client.status()


def _size(scene: Scene) -> int:
    return int(_status(scene)["main"]["size"])


def _cosigned(scene: Scene) -> int:
    return int(_status(scene)["main"]["cosignedSize"] or 0)


def _open_the_offices(scene: Scene) -> None:
    _, run, serve = scene._, scene.stage.run, scene.stage.serve
    scene.account.chapter(_("The offices"))
    authority = run("issuer", "authority", "init").data
    authority_url = serve("authority", "issuer", "authority", "serve", "--port", "0")
    scene.account.step(
        "authority",
        _(
            "The authority keeps a register of {count} synthetic residents.",
            count=authority["residents"],
        ),
        residents=authority["residents"],
    )
    with reserved_port() as port:  # credentials name the address before it is served
        issuer_url = f"http://127.0.0.1:{port}"
        issuer = run(
            *("issuer", "init", "--did", ISSUER_DID, "--public-url", issuer_url),
            *(
                "--name-zh",
                "杭州市数据资源管理局",
                "--name-en",
                "Hangzhou Data Resources Administration",
            ),
            *("--registry", scene.registry, "--genesis", scene.genesis),
            *("--authority-url", authority_url),
            *("--authority-facts", Path(authority["home"]) / "authority.json"),
            *("--authority-certificate", authority["certificate"]),
        ).data
        run("issuer", "authority", "authorise", "--issuer-key", issuer["authorityClient"])
        run(
            *("registry", "accredit-issuer", issuer["accreditation"]),
            *("--registry", scene.registry),
        )
        serve("issuer", "issuer", "serve", "--port", str(port))
    scene.account.step(
        "issuer",
        _("The administration is accredited on the chain and serves wallets."),
        did=ISSUER_DID,
    )
    for home, did, zh, en, entitlement in (
        ("home", HOUSING_DID, "住房保障窗口", "Housing counter", "housing-age-check"),
        ("home-library", LIBRARY_DID, "图书馆窗口", "Library counter", "library-card"),
    ):
        desk = run(
            *("verifier", "init", "--did", did, "--name-zh", zh, "--name-en", en),
            *("--registry", scene.registry, "--genesis", scene.genesis),
            home=home,
        ).data
        run(
            *("registry", "accredit-verifier", desk["accreditation"]),
            *("--registry", scene.registry),
        )
        run(
            *("registry", "entitle", entitlement, "--verifier", did),
            *("--claim", "name", "--claim", "ageOver18"),
            *("--purpose-zh", "核实申请人身份及是否成年"),
            *("--purpose-en", "Check who applies, and that they are of age"),
            *("--basis-zh", "《公共租赁住房管理办法》第七条"),
            *("--basis-en", "Measures for Public Rental Housing, art. 7"),
            *("--registry", scene.registry),
        )
    scene.account.step(
        "desks",
        _("Two departments are accredited; each may ask for name and over-18 only."),
        dids=[HOUSING_DID, LIBRARY_DID],
    )


def _refuse_false_data(scene: Scene) -> None:
    _, run = scene._, scene.stage.run
    scene.account.chapter(_("The citizen applies"))
    people = run("issuer", "authority", "sample", "2", "--adults").data["residents"]
    wallet = run("wallet", "init", "--registry", scene.registry, "--genesis", scene.genesis)
    _settle(scene)
    run("wallet", "refresh")
    scene.account.step(
        "wallet", _("The citizen has an encrypted wallet."), home=wallet.data["home"]
    )
    truth = scene.file("application.json")
    truth.write_text(json.dumps(people[0], ensure_ascii=False) + "\n", encoding="utf-8")
    lie = scene.file("application-false.json")
    lie.write_text(
        json.dumps({**people[0], "name": people[1]["name"] + "某"}, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    refused = run("wallet", "apply", "--file", lie, expect=ExitCode.REJECTED)
    scene.account.step(
        "false-data-refused",
        _("An application under another name is refused: the authority does not confirm it."),
        code=refused.data["error"]["code"],
    )
    scene.account.quote(f"{refused.data['error']['code']}: {refused.data['error']['message']}")


def _issue(scene: Scene) -> None:
    _, run = scene._, scene.stage.run
    applied = run("wallet", "apply", "--file", scene.file("application.json")).data
    scene.account.step(
        "application-confirmed",
        _("The true data is confirmed; the wallet holds an offer."),
        application=applied["id"],
    )
    held = _accept(scene, applied["id"])
    scene.credential = held["id"]
    scene.account.step(
        "issued",
        _("The credential is issued over OpenID4VCI, with the code that came another way."),
        credential=held["id"],
    )
    if not _wait_until(lambda: _all_anchored(scene)):
        raise NoCheckpoint(seconds=WAIT_S)
    run("wallet", "show", held["id"], "--out-document", scene.file("credential.json"))
    scene.account.step(
        "anchored", _("Its digest is on the identity side chain, under a cosigned checkpoint.")
    )


def _accept(scene: Scene, application: str) -> dict[str, Any]:
    outbox = scene.folder / "home" / "issuer" / "outbox"
    code = scene.file("transaction-code.txt")
    # The message gateway is not part of this house; here the citizen reads the message itself.
    newest = max(outbox.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    letter = json.loads(newest.read_text(encoding="utf-8"))
    code.touch(mode=0o600)
    code.write_text(str(letter["tx_code"]) + "\n", encoding="utf-8")
    taken = scene.stage.run(
        "wallet", "accept", "--application", application, "--tx-code-file", code
    )
    code.unlink()
    return dict(taken.data)


def _all_anchored(scene: Scene) -> bool:
    report = scene.stage.run("wallet", "refresh").data
    return bool(report["anchored"] == report["credentials"])


def _settle(scene: Scene) -> None:
    """Wait until every entry that the chains hold now stands under a cosigned checkpoint."""
    sizes = {chain["origin"]: int(chain["size"]) for chain in _status(scene)["chains"]}
    goals = {origin: size for origin, size in sizes.items() if size}

    def reached() -> bool:
        with RegistryClient(scene.registry, Genesis.load(scene.genesis)) as client:
            try:
                return all(client.cosigned(origin).size >= size for origin, size in goals.items())
            except EntryUnknown:  # a side chain that has no cosigned checkpoint yet
                return False

    if not _wait_until(reached):
        raise NoCheckpoint(seconds=WAIT_S)


def _ask(scene: Scene, name: str, entitlement: str, *, home: str = "home") -> Path:
    picture = scene.file(f"{name}.png")
    scene.stage.run(
        *("verifier", "request", entitlement, "--out-png", picture),
        *("--claim", "name", "--claim", "ageOver18"),
        home=home,
    )
    return picture


def _answer(scene: Scene, request: Path, name: str) -> Path:
    picture = scene.file(f"{name}.png")
    scene.stage.run(
        *("wallet", "answer", "--image", request, "--credential", scene.credential, "--yes"),
        *("--out-png", picture, "--out-text", picture.with_suffix(".txt")),
    )
    return picture


def _scan(
    scene: Scene, picture: Path, *, expect: ExitCode = ExitCode.DONE, receipt: Path | None = None
) -> dict[str, Any]:
    words = ("--receipt", receipt) if receipt else ()
    scanned = scene.stage.run("verifier", "scan", picture, *words, expect=int(expect), offline=True)
    return dict(scanned.data)


def _verify_at_the_counter(scene: Scene) -> None:
    _, run = scene._, scene.stage.run
    scene.account.chapter(_("At the counter"))
    for home in ("home", "home-library"):
        run("verifier", "sync", home=home)
    scene.account.step("synchronised", _("Both desks hold a trust bundle."))
    request = _ask(scene, "request", "housing-age-check")
    told = run("wallet", "inspect", "--image", request).data
    scene.account.step(
        "asked",
        _("The housing desk asks for name and over-18; the wallet names who asks and why."),
        verifier=told["verifierName"],
        shown=[c["pointer"] for c in told["shown"]],
        hidden=[c["pointer"] for c in told["hidden"]],
    )
    picture = _answer(scene, request, "presentation")
    scene.account.step("answered", _("The citizen consents; the answer is one QR code."))
    verdict = _scan(scene, picture, receipt=scene.file("receipt.txt"))
    shutil.copy(scene.folder / "home" / "verifier" / "trust.zltrust", scene.file("trust.zltrust"))
    values = [f"{c['label']}: {c['text']}" for c in verdict["claims"].values()]
    scene.account.step(
        "accepted",
        _("With the network off, the desk reads the picture and accepts."),
        answer=verdict["answer"],
        claims=sorted(verdict["claims"]),
    )
    scene.account.quote(" · ".join(values))


def _attack(scene: Scene) -> None:
    _ = scene._
    scene.account.chapter(_("Attempts"))

    def rejected(name: str, check: str, sentence: str, picture: Path) -> None:
        verdict = _scan(scene, picture, expect=ExitCode.REJECTED)
        decided = verdict["decidedBy"]
        if decided["check"] != check:
            raise OtherReason(expected=check, got=decided["check"])
        scene.account.step(name, sentence, check=decided["check"], code=decided["code"])
        scene.account.quote(f"{decided['check']} · {decided['code']}: {decided['message']}")

    rejected(
        "replayed", "nonce", _("The same code again: rejected."), scene.file("presentation.png")
    )
    request = _ask(scene, "request-2", "housing-age-check")
    _answer(scene, request, "presentation-2")
    answer = scene.file("presentation-2.txt").read_text(encoding="utf-8").strip()
    change_the_name(answer, scene.file("tampered.png"))
    rejected(
        "tampered",
        "holder",
        _("A code with another name in it: rejected."),
        scene.file("tampered.png"),
    )
    foreign = _answer(
        scene, _ask(scene, "request-library", "library-card", home="home-library"), "for-library"
    )
    rejected("for-another", "audience", _("A code made for the library: rejected here."), foreign)


def _lose_nodes(scene: Scene) -> None:
    _, run, stage = scene._, scene.stage.run, scene.stage
    scene.account.chapter(_("Nodes fail"))
    first, second = NODES[3][0], NODES[2][0]
    stage.kill(f"node-{first}", port=int(str(scene.nodes[first][-1])))
    _accept(scene, run("wallet", "apply", "--file", scene.file("application.json")).data["id"])
    if not _wait_until(lambda: _all_anchored(scene)):
        raise NoCheckpoint(seconds=WAIT_S)
    scene.account.step(
        "one-node-killed",
        _("One node is killed; a second credential is issued and anchored all the same."),
        node=first,
    )
    stage.kill(f"node-{second}", port=int(str(scene.nodes[second][-1])))
    # What it cosigned last may still be on its way; of what is added from here on it knows nothing.
    known = _size(scene)
    second_credential = _newest(scene)
    run("issuer", "suspend", second_credential, "--reason", "holder-request")
    if not _wait_until(lambda: _size(scene) > known):
        raise OtherReason(expected=f"> {known}", got=str(_size(scene)))
    time.sleep(2)
    status = _status(scene)
    if int(status["main"]["cosignedSize"]) > known:
        raise CheckpointWithoutQuorum(size=status["main"]["cosignedSize"])
    scene.account.step(
        "two-nodes-killed",
        _("Two nodes are dead: entries are kept, but no new checkpoint is accepted."),
        nodes=[first, second],
        size=status["main"]["size"],
        cosigned=status["main"]["cosignedSize"],
        alarms=status["alarms"],
    )
    for name in (first, second):
        stage.serve(f"node-{name}", *scene.nodes[name])
    run("issuer", "reinstate", second_credential, "--reason", "holder-request")
    _settle(scene)
    scene.account.step(
        "nodes-return",
        _("They return, check what they missed, and cosign."),
        cosigned=_cosigned(scene),
    )


def _newest(scene: Scene) -> str:
    """The issuer's own id of the credential that was issued last."""
    return str(max(scene.stage.run("issuer", "list").data, key=lambda row: row["created"])["id"])


def _revoke(scene: Scene) -> None:
    _, run = scene._, scene.stage.run
    scene.account.chapter(_("Revocation"))
    rows = scene.stage.run("issuer", "list").data
    first = min(rows, key=lambda row: row["created"])["id"]
    run("issuer", "revoke", first, "--reason", "key-lost")
    _settle(scene)
    run("verifier", "sync")
    request = _ask(scene, "request-3", "housing-age-check")
    picture = _answer(scene, request, "presentation-3")
    verdict = _scan(scene, picture, expect=ExitCode.REJECTED)
    decided = verdict["decidedBy"]
    if decided["code"] != "ZL-STATUS-REVOKED":
        raise OtherReason(expected="ZL-STATUS-REVOKED", got=decided["code"])
    scene.account.step(
        "revoked",
        _("The issuer revokes the credential; after a synchronisation the desk says so."),
        check=decided["check"],
        code=decided["code"],
    )
    scene.account.quote(f"{decided['check']} · {decided['code']}: {decided['message']}")


def _account_for_the_look(scene: Scene) -> None:
    _, run = scene._, scene.stage.run
    scene.account.chapter(_("Who looked"))
    run("wallet", "receipt", "import", scene.file("receipt.txt"))
    _settle(scene)
    run("wallet", "refresh")
    looks = run("wallet", "audit").data
    recorded = [look for look in looks if look["state"] == "recorded"]
    if len(recorded) != 1:
        raise OtherReason(expected="recorded", got=", ".join(look["state"] for look in looks))
    scene.account.step(
        "who-looked",
        _("The wallet finds the department's access record on the chain."),
        verifier=recorded[0]["verifierDid"],
        claims=recorded[0]["claims"],
        index=recorded[0]["chainIndex"],
    )
    scene.account.quote(f"{recorded[0]['verifierName']} · {', '.join(recorded[0]['claimLabels'])}")


def _farewell(scene: Scene, out: Path) -> None:
    _, account = scene._, scene.account
    summary = {
        "seconds": round(account.seconds, 1),
        "network": NETWORK,
        "issuer": ISSUER_DID,
        "credential": scene.credential,
        "steps": account.steps,
        "artefacts": {
            "requests": ["request.png", "request-2.png", "request-3.png", "request-library.png"],
            "presentations": ["presentation.png", "presentation-2.png", "presentation-3.png"],
            "credential": "credential.json",
            "trustBundle": "trust.zltrust",
            "genesis": "home/registry/genesis.json",
            "chain": "home/registry",
            "nodes": [f"home/nodes/{name}" for name, _zh, _en in NODES],
            "wallet": "home/wallet",
            "passphrase": "passphrase.txt",
            "logs": "logs",
        },
    }
    path = scene.file("summary.json")
    path.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    account.say()
    account.say(
        _(
            "Done in {seconds} s. Everything is in {folder}.",
            seconds=round(account.seconds),
            folder=out,
        )
    )
    account.say(
        _("Open the wallet on it (the passphrase is in {file}):", file=out / "passphrase.txt")
    )
    account.say(f"  ZL_HOME={out / 'home'} .venv/bin/zl wallet")
