"""The chain: a main chain and side chains of sealed entries, cosigned by department nodes.

What other packages use of it:

- `registry.client.RegistryClient` reads and writes a network and believes nothing it is told.
- `registry.trust.TrustBundle` is the verified picture of the chain that desks and wallets carry.
- `registry.ledger.entries` makes and reads entries; `registry.ledger.genesis.Genesis` is what
  everyone pins.
- `registry.trust.assurance` are the checks on a credential that desk and wallet share.
- `registry.simulation.simulator.Consortium` is a whole network in one process, for tests.

Its rooms, from the ground up: `tlog` (C2SP's formats), `storage`, `ledger` (what stands on the
chains, and by which rules) with `contracts`, `engine` (one log), `reading`, `trust` and `archive`;
above them whoever runs something: `sequencing`, `nodes`, `witnessing`, `watching`, with their faces
in `web` and `explorer`. Nothing is imported here, so that a wallet does not load a server.
"""
