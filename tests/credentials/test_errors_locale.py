"""Errors of the kernel in Chinese: the phrases inside them are translated too."""

from __future__ import annotations

from credentials.errors import ControllerMismatch, LimitExceeded, PointerUnknown, ProofMalformed
from schemas.texts import CHINESE, ENGLISH, localize


def test_the_reason_inside_a_message_is_translated() -> None:
    error = ProofMalformed(reason="its value is not base58")
    assert localize(error, CHINESE)["message"] == "证明格式有误：其值不是 base58。"
    assert localize(error, ENGLISH)["message"] == "The proof is malformed: its value is not base58."
    assert "签发机关" in localize(ControllerMismatch(role="issuer"), CHINESE)["message"]
    assert localize(LimitExceeded(what="JSON text", limit=5), CHINESE)["message"] == (
        "JSON 文本 超出上限 5。"
    )


def test_what_comes_from_input_is_left_as_it_is() -> None:
    error = PointerUnknown(pointer="issuer")
    assert "'issuer'" in localize(error, CHINESE)["message"]
