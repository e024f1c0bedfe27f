"""The ground floor: scenarios as data, Chinese identifiers, names, errors and texts.

Nothing here knows about signatures, the chain or the network.
"""
