"""Encrypted messages against jose, both ways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import pytest

from credentials.jwe import ContentEncryption, EncryptionKey, decrypt, encrypt
from credentials.multibase import base64url_encode

KEY = EncryptionKey.generate("request-1")
PRIVATE = {**KEY.recipient.jwk(), "d": base64url_encode(KEY.to_bytes())}
MESSAGE = '{"vp_token":{"q":["欧阳𠮷"]}}'
PARTIES = [("", ""), ("wallet nonce", "did:web:desk.example")]


@pytest.fixture
def ask(ask_peer: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return partial(ask_peer, "jose_peer.mjs", ["jose"])


@pytest.mark.parametrize("enc", get_args(ContentEncryption))
def test_both_ways(ask: Callable[..., list[Any]], enc: ContentEncryption) -> None:
    ours = [
        encrypt(MESSAGE.encode(), KEY.recipient, enc=enc, producer=a.encode(), consumer=b.encode())
        for a, b in PARTIES
    ]
    answers = ask(
        [
            *({"do": "decrypt", "key": PRIVATE, "token": token} for token in ours),
            *(
                {
                    "do": "encrypt",
                    "key": KEY.recipient.jwk(),
                    "enc": enc,
                    "payload": MESSAGE,
                    "apu": a,
                    "apv": b,
                }
                for a, b in PARTIES
            ),
        ]
    )
    for opened in answers[:2]:
        assert opened["payload"] == MESSAGE
        assert (opened["header"]["enc"], opened["header"]["kid"]) == (enc, "request-1")
    for token, (a, b) in zip(answers[2:], PARTIES, strict=True):
        theirs = decrypt(token, [KEY])
        assert theirs.payload.decode() == MESSAGE
        assert (theirs.producer.decode(), theirs.consumer.decode()) == (a, b)
