from __future__ import annotations
import os, time
from pathlib import Path
from tests.wallet.conftest import PASSPHRASE, Town
from wallet.tui.app import WalletApp
from textual.widgets import Input, TextArea
OUT = Path('/tmp/eyes'); OUT.mkdir(exist_ok=True)
async def shot(app, name):
    (OUT/f'{name}.svg').write_text(app.export_screenshot(title="zl wallet"))
async def settle(pilot, n=6):
    for _ in range(n): await pilot.pause(0.1)
    while getattr(pilot.app.screen,'busy',False): await pilot.pause(0.05)
    await pilot.pause(0.1)
async def test_eyes(town: Town, monkeypatch, tmp_path):
    monkeypatch.setenv('TZ','UTC'); time.tzset()
    w = town.wallet()
    n = town.credential(w)
    w.close(); town.wallets.clear()
    lang = os.environ.get('EL','en'); size=(100,30) if os.environ.get('BIG','1')=='1' else (80,24)
    tag=f"{lang}-{size[0]}"
    app = WalletApp(town.home/'wallet', language=lang, clock=town.clock, transport=town.wires, tick_s=0.05, save_to=tmp_path)
    async with app.run_test(size=size) as pilot:
        await settle(pilot); await shot(app, f'{tag}-01-unlock')
        await pilot.press(*'wrongpass','enter'); await settle(pilot); await shot(app,f'{tag}-02-wrong')
        town.clock.advance(seconds=5); await settle(pilot)
        app.screen.query_one('#passphrase',Input).value=PASSPHRASE; await pilot.press('enter'); await settle(pilot,12); await shot(app,f'{tag}-03-list')
        await pilot.press('enter'); await settle(pilot); await shot(app,f'{tag}-04-detail')
        await pilot.press('v'); await settle(pilot); await shot(app,f'{tag}-05-reveal')
        await pilot.press('escape'); await settle(pilot)
        await pilot.press('r'); await settle(pilot); await shot(app,f'{tag}-06-source')
        app.screen.query_one('#text',TextArea).text=town.request('name','ageOver18'); await pilot.press('enter'); await settle(pilot,10); await shot(app,f'{tag}-07-consent')
        await pilot.press('v'); await settle(pilot); 
        await pilot.press('s'); await settle(pilot,10); await shot(app,f'{tag}-08-present')
        await pilot.resize_terminal(160,66); await settle(pilot,10); await shot(app,f'{tag}-09-qr')
        await pilot.resize_terminal(*size); await settle(pilot,3)
        await pilot.press('s'); await settle(pilot); await shot(app,f'{tag}-10-save')
        await pilot.press('enter'); await settle(pilot); await shot(app,f'{tag}-11-saved')
        town.clock.advance(minutes=6); await settle(pilot); await shot(app,f'{tag}-12-expired')
        await pilot.press('escape'); await settle(pilot); await pilot.press('2'); await settle(pilot); await shot(app,f'{tag}-13-audit')
        await pilot.press('3'); await settle(pilot); await shot(app,f'{tag}-14-history')
        await pilot.press('f1'); await settle(pilot); await shot(app,f'{tag}-15-help'); await pilot.press('escape')
        await pilot.press('1'); await settle(pilot); await pilot.press('n'); await settle(pilot); await shot(app,f'{tag}-16-apply'); await pilot.press('escape'); await settle(pilot)
        await pilot.press('ctrl+p'); await settle(pilot,10); await shot(app,f'{tag}-17-palette'); await pilot.press('escape')
        # exceeding
        from tests.wallet.test_service import desk_request
        from credentials.query import DcqlQuery
        await pilot.press('r'); await settle(pilot)
        app.screen.query_one('#text',TextArea).text=desk_request(town, dcql=DcqlQuery.for_claims("ResidentIdentityCredential", ["/credentialSubject/name","/credentialSubject/citizenNumber"])); await pilot.press('enter'); await settle(pilot,10); await shot(app,f'{tag}-18-exceeds')
        await pilot.press('f3'); await settle(pilot); await shot(app,f'{tag}-19-light')
        await pilot.press('f2'); await settle(pilot,10); await shot(app,f'{tag}-20-lang')
    app2 = WalletApp(town.home/'none', language=lang, clock=town.clock, transport=town.wires, tick_s=0.05, save_to=tmp_path)
    async with app2.run_test(size=size) as pilot:
        await settle(pilot); await shot(app2,f'{tag}-21-setup')
