"""The citizen's wallet.

Public surface: `wallet.service.Wallet`, what it returns (`wallet.views`) and what it raises
(`wallet.errors`). Everything else is private to this package. Nothing is imported here: `zl`
must not load the wallet's cryptography to print a line of help.
"""
