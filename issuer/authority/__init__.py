"""The authority that confirms a citizen's data: how to ask it, and a reference service to ask.

`client` is what an issuer uses, against any authority that speaks `messages`. The rest is a
reference population register with a server in front, of people who do not exist.
"""
