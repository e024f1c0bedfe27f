"""The citizen's wallet on a terminal: screens over `wallet.service.Wallet`, and no rule of its own.

Guarantees: nothing is shown to a department without its consent screen; sensitive values appear
only on the screen where their owner asked for them, until it is left; no step of the network or
of the key derivation holds up the screen. What may be answered at all is decided in the wallet,
not here: a mistake on a screen cannot widen it.
"""
