"""Securing and opening one document with a given key, as the JOSE-COSE suite asks for it.

That suite knows no server: it runs a command with an input file, a key file and the name of a
feature, and reads the result from an output file. Whose key it is does not matter to it, so this
is proof-only: nothing here says that an issuer or holder made the document.

Guarantee: the result `success` means that the document was secured, or that the key made it and
its form is that of VC-JOSE-COSE. Every other end is `failure`, with the code of what was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from credentials.canonical.strict_json import parse_json, parse_json_object
from credentials.errors import CredentialError
from credentials.keys import PrivateKey, PublicKey
from credentials.multibase import base64url_decode
from credentials.securing import (
    Envelope,
    Form,
    decode_cose,
    encode_cose,
    open_signed,
    refuse_unknown_members,
    secure,
)
from schemas.errors import ZhenglianError
from zhenglian.vc_api.errors import FileUnusable

MAX_FILE: Final = 1024 * 1024
"""Bytes of an input or key file."""

_FORMS: Final[Mapping[str, Form]] = {"jose": "jwt", "sdjwt": "sd-jwt", "cose": "cose"}
_KINDS: Final[Mapping[str, str]] = {"credential": "vc", "presentation": "vp"}
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]{1,4})\]", re.ASCII)


def issue(source: Path, key_file: Path, feature: str, hidden: str) -> dict[str, Any]:
    """`{"result", "data"}`: the token, COSE in base64; or the code of the refusal.

    `hidden` is a JSON list of paths such as `credentialSubject.phoneNumbers[0]`. Raises
    FileUnusable: a wrong command is not a verdict.
    """
    form, _ = _feature(feature)
    data, method = _read(source), _method(key_file)
    key = _secret(method, key_file)
    paths = _paths(hidden)
    try:
        document = parse_json_object(data)
        refuse_unknown_members(document)
        envelope = secure(
            document, form=form, signer=key, kid=_kid(method), disclosable=paths if paths else ()
        )
    except CredentialError as error:
        return _failure(error)
    content = envelope.content
    return {
        "result": "success",
        "data": encode_cose(content) if isinstance(content, bytes) else content,
    }


def verify(source: Path, key_file: Path, feature: str) -> dict[str, Any]:
    """`{"result"}`, and the code of the refusal. Raises FileUnusable."""
    form, kind = _feature(feature)
    data, method = _read(source), _method(key_file)
    try:
        key = PublicKey.from_jwk(method.get("publicKeyJwk"))
    except CredentialError as error:
        raise FileUnusable(path=key_file, reason="publicKeyJwk is not a usable key") from error
    text = data.decode("utf-8", "replace").strip()
    try:
        content = decode_cose(text) if form == "cose" else text
        signed = open_signed(Envelope(f"{kind}+{form}", content), key=key)
        refuse_unknown_members(signed.document)
    except CredentialError as error:
        return _failure(error)
    return {"result": "success"}


def _failure(error: ZhenglianError) -> dict[str, Any]:
    return {"result": "failure", "data": "", "code": error.code, "reason": str(error)}


def _feature(feature: str) -> tuple[Form, str]:
    kind, _, form = feature.partition("_")
    return _FORMS[form], _KINDS[kind]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unreadable") from error
    if len(data) > MAX_FILE:
        raise FileUnusable(path=path, reason="the file is too long")
    return data


def _method(path: Path) -> Mapping[str, Any]:
    """A verification method with its keys as JWK (Controlled Identifiers 1.0 §2.2.3)."""
    try:
        return parse_json_object(_read(path))
    except CredentialError as error:
        raise FileUnusable(path=path, reason="it is not a JSON object") from error


def _secret(method: Mapping[str, Any], path: Path) -> PrivateKey:
    jwk = method.get("secretKeyJwk")
    try:
        if not isinstance(jwk, Mapping) or not isinstance(jwk.get("d"), str):
            raise FileUnusable(path=path, reason="it has no secretKeyJwk")
        public = PublicKey.from_jwk({name: jwk[name] for name in jwk if name != "d"})
        key = PrivateKey.from_bytes(public.type, base64url_decode(jwk["d"]))
    except CredentialError:
        # `from None`: the cause is about a secret.
        raise FileUnusable(path=path, reason="secretKeyJwk is not a usable key") from None
    if key.public_key != public:
        raise FileUnusable(path=path, reason="secretKeyJwk is not a usable key")
    return key


def _kid(method: Mapping[str, Any]) -> str | None:
    jwk = method.get("publicKeyJwk")
    kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
    return kid if isinstance(kid, str) else None


def _paths(text: str) -> list[Sequence[str | int]]:
    try:
        listed = parse_json(text) if text else []
    except CredentialError as error:
        raise FileUnusable(path="--sd", reason="it is not a JSON list of paths") from error
    if not isinstance(listed, list):
        raise FileUnusable(path="--sd", reason="it is not a JSON list of paths")
    paths: list[Sequence[str | int]] = []
    for path in listed:
        found = list(_STEP.finditer(path)) if isinstance(path, str) else []
        if not found or "".join(step.group() for step in found) != path.replace(".", ""):
            raise FileUnusable(path="--sd", reason="it is not a JSON list of paths")
        paths.append([step[1] if step[1] is not None else int(step[2]) for step in found])
    return paths
