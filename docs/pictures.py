"""Draws the pictures of the documentation: the real screens, of a small town in memory.

Everything in them is made by the program itself (a registry with four nodes, an issuer, a desk, a
wallet) for a resident who does not exist. The clock stands still, so drawing twice gives the same
bytes, and a picture that changes shows that a screen has changed.

    .venv/bin/python docs/pictures.py            # into docs/images
    .venv/bin/python docs/pictures.py --check    # fails when one is out of date
"""

from __future__ import annotations

import argparse
import asyncio
import html
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console

from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from issuer.api import build_api
from issuer.authority.client import AuthorityAnswer
from issuer.service import Issuer
from issuer.settings import AuthoritySettings
from issuer.settings import Settings as IssuerSettings
from registry.client import RegistryClient
from registry.ledger.entries import make_entry
from registry.ledger.members import encode_time
from registry.simulation.simulator import NETWORK, Consortium
from schemas.digests import digest_multibase
from schemas.identifiers.gb11643 import build_citizen_number
from schemas.texts import CHINESE, ENGLISH, load_texts
from verifier.desk import Desk
from verifier.render import verdict_panel
from verifier.settings import Settings as DeskSettings
from verifier.settings import create_desk, load_key
from wallet.service import Wallet
from wallet.tui.app import WalletApp
from wallet.tui.screens.base import Spoken
from wallet.tui.screens.consent import ConsentScreen
from wallet.tui.screens.credentials import CredentialsScreen

IMAGES: Final = Path(__file__).resolve().parent / "images"
REGISTRY: Final = "https://registry.example"
ISSUER: Final = "https://issuer.example"
PASSPHRASE: Final = "words of a town that is not there"  # noqa: S105 - guards nothing real
SIZE: Final = (100, 26)
CLAIMS: Final = ("/credentialSubject/name", "/credentialSubject/ageOver18")
FONT: Final = "'Fira Code','DejaVu Sans Mono','Noto Sans Mono CJK SC','Noto Sans CJK SC',monospace"


@dataclass(frozen=True)
class Confirming:
    """Stands for the authority, which is a process of its own: here everything given is true."""

    clock: Callable[[], datetime]

    def check(self, _person: Mapping[str, str]) -> AuthorityAnswer:
        return AuthorityAnswer(
            passed=True,
            authority="did:web:population.example",
            checked_at=self.clock(),
            reply_digest=digest_multibase(b"a signed answer"),
            reply="a signed answer",
        )


@dataclass(frozen=True)
class Town:
    chain: Consortium
    wallet_folder: Path
    wallet: Wallet
    desk: Desk

    def clock(self) -> datetime:
        return self.chain.now


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """One resident with one credential, and one desk that may ask."""
    with ExitStack() as stack:
        chain = stack.enter_context(Consortium(folder / "chain"))

        def clock() -> datetime:
            return chain.now

        def registry() -> RegistryClient:
            return RegistryClient(REGISTRY, chain.genesis, transport=chain.transport, now=clock)

        chain.transport.apps["registry.example"] = chain.transport.apps["registry.invalid"]
        issuer = stack.enter_context(closing(_issuer(folder / "issuer", chain, clock, registry)))
        chain.transport.apps["issuer.example"] = build_api(issuer)
        settings = DeskSettings(
            "did:web:transport.hangzhou.example",
            {"zh-CN": "杭州市交通运输局", "en": "Hangzhou Transport Bureau"},
            (REGISTRY,),
        )
        accredited = create_desk(folder / "desk", settings, chain.genesis.entry.raw, None)
        desk = stack.enter_context(
            closing(Desk(folder / "desk", settings, load_key(folder / "desk", None), clock=clock))
        )
        _govern(chain, folder, accredited, settings.did)
        _publish(chain, issuer)
        wallet = stack.enter_context(
            Wallet.create(
                folder / "wallet",
                PASSPHRASE,
                genesis=chain.genesis.entry.raw,
                registry_url=REGISTRY,
                clock=clock,
                transport=chain.transport,
                cost=COST_FLOOR,
            )
        )
        wallet.refresh()
        _credential(wallet, folder / "issuer" / "outbox")
        _publish(chain, issuer)
        wallet.refresh()
        with registry() as client:
            desk.sync(client)
        yield Town(chain, folder / "wallet", wallet, desk)


def _issuer(
    home: Path,
    chain: Consortium,
    clock: Callable[[], datetime],
    registry: Callable[[], RegistryClient],
) -> Issuer:
    settings = IssuerSettings(
        did="did:web:data.hangzhou.example",
        name={"zh-CN": "杭州市数据资源管理局", "en": "Hangzhou Data Resources Administration"},
        public_url=ISSUER,
        registry_urls=(REGISTRY,),
        network=NETWORK,
        authority=AuthoritySettings(
            "https://population.example",
            "did:web:population.example",
            PrivateKey.from_seed(
                "Ed25519", b"the authority of the pictures .."
            ).public_key.multikey(),
        ),
        created=encode_time(clock()),
    )
    Issuer.init(
        home,
        settings,
        genesis=chain.genesis.entry.raw,
        authority_certificate=b"none",
        passphrase=PASSPHRASE,
        cost=COST_FLOOR,
    )
    return Issuer.open(
        home, PASSPHRASE, clock=clock, authority=Confirming(clock), registry=registry
    )


def _govern(chain: Consortium, folder: Path, verifier: Mapping[str, object], did: str) -> None:
    period = {"from": encode_time(chain.now - timedelta(days=1)), "to": None}
    issuer = json.loads((folder / "issuer" / "accreditation.json").read_bytes())
    chain.govern(
        make_entry("issuer", **issuer, **period),
        make_entry("verifier", **verifier, **period),
        make_entry(
            "entitlement",
            id="adult-bus-card",
            verifier=did,
            credentialType="ResidentIdentityCredential",
            claims=list(CLAIMS),
            purpose={"zh-CN": "办理成人公交卡", "en": "Issue an adult's bus card"},
            legalBasis={
                "zh-CN": "《杭州市公共交通条例》（示例）第八条",
                "en": "Public transport regulation (example), article 8",
            },
            **period,
        ),
    )


def _publish(chain: Consortium, issuer: Issuer) -> None:
    sent = issuer.publish()
    if sent.trouble is not None:
        raise RuntimeError(sent.trouble)
    chain.advance(seconds=1)
    chain.settle()


def _credential(wallet: Wallet, outbox: Path) -> None:
    application = wallet.apply(
        ISSUER,
        {
            "name": "王小明",
            "citizenNumber": build_citizen_number("330106", date(1990, 1, 1), 101).text,
            "sex": "male",
            "birthDate": "1990-01-01",
            "ethnicity": "汉",
            "division": "330106",
        },
    )
    (message,) = outbox.iterdir()
    code = json.loads(message.read_bytes())["tx_code"]
    wallet.accept_offer(wallet.inspect_offer(application.offer or ""), code)


# Drawing


async def _screens(place: Town, language: str, request: str) -> dict[str, str]:
    """The list and the consent screen in one language."""
    app = WalletApp(
        place.wallet_folder,
        language=language,
        wallet=place.wallet,
        clock=place.clock,
        transport=place.chain.transport,
        close_at_end=False,
    )
    drawn = {}
    async with app.run_test(size=SIZE) as pilot:

        async def idle(kind: type[Spoken[None]]) -> None:
            for _ in range(600):
                await pilot.pause(0.05)
                if isinstance(app.screen, kind) and app.focused is not None:
                    break
            await pilot.pause(0.3)

        await idle(CredentialsScreen)
        drawn["wallet-credentials"] = app.export_screenshot(title="zl wallet")
        app.push_screen(ConsentScreen(request, place.wallet.inspect_request(request)))
        await idle(ConsentScreen)
        drawn["wallet-consent"] = app.export_screenshot(title="zl wallet")
    return drawn


def _verdict(place: Town, language: str) -> str:
    """What the clerk sees after the code was read."""
    request = place.desk.request("adult-bus-card", list(CLAIMS)).uri
    view = place.wallet.inspect_request(request)
    ready = place.wallet.answer(view, view.candidates[0].credential_id)
    console = Console(record=True, width=SIZE[0], file=io.StringIO(), force_terminal=True)
    console.print(verdict_panel(place.desk.verify(ready.qr_text), load_texts("verifier", language)))
    return console.export_svg(title="zl verifier verify")


def tidy(svg: str) -> str:
    """No font from the network, and the width of Chinese characters as terminals have it."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {FONT}", svg)

    def widen(found: re.Match[str]) -> str:
        head, width, tail, content = found.groups()
        text = html.unescape(content)
        exact = float(width) / len(text) * cell_len(text)
        return f'{head}textLength="{exact:g}"{tail}>{content}</text>'

    return re.sub(r'(<text [^>]*)textLength="([\d.]+)"([^>]*)>([^<]+)</text>', widen, svg)


def draw() -> dict[str, str]:
    """Every picture by its file name."""
    os.environ["TZ"] = "Asia/Shanghai"
    os.environ.pop("COLORFGBG", None)
    time.tzset()
    pictures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, town(Path(folder)) as place:
        for language, ending in ((ENGLISH, ""), (CHINESE, ".zh-CN")):
            request = place.desk.request("adult-bus-card", list(CLAIMS)).uri
            drawn = asyncio.run(_screens(place, language, request))
            drawn["desk-verdict"] = _verdict(place, language)
            pictures |= {f"{name}{ending}.svg": tidy(svg) for name, svg in drawn.items()}
    return pictures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    stale = 0
    for name, svg in draw().items():
        path = IMAGES / name
        if path.is_file() and path.read_text("utf-8") == svg:
            continue
        stale += 1
        sys.stdout.write(f"{'out of date' if check else 'drawn'}: {path.name}\n")
        if not check:
            IMAGES.mkdir(exist_ok=True)
            path.write_text(svg, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
