"""The chain: a main chain and side chains of sealed entries, cosigned by department nodes.

What other packages use of it:

- `registry.client.RegistryClient` reads and writes a network and believes nothing it is told.
- `registry.trust.TrustBundle` is the verified picture of the chain that desks and wallets carry.
- `registry.entries` makes and reads entries; `registry.genesis.Genesis` is what everyone pins.
- `registry.assurance` are the checks on a credential that desk and wallet share.
- `registry.simulator.Consortium` is a whole network in one process, for tests.

The other modules are the formats (C2SP), the sequencer and the nodes. Nothing is imported here,
so that a wallet does not load a server.
"""
