"""Both languages are complete: every text for people has its Chinese translation.

Messages are taken from the sources themselves (calls of `_`, and the sentences of every error
class), so a text that is added without a translation fails here.
"""

from __future__ import annotations

import importlib
import pkgutil
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from schemas.errors import ZhenglianError

PACKAGES = ("schemas", "credentials", "registry", "verifier", "issuer", "wallet", "zhenglian")
ROOT = Path(__file__).resolve().parent.parent


def _modules(package: str) -> None:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, f"{package}."):
        importlib.import_module(found.name)


def _subclasses(root: type[ZhenglianError]) -> set[type[ZhenglianError]]:
    found = {root}
    for child in root.__subclasses__():
        found |= _subclasses(child)
    return found


def _message_ids(package: str) -> set[str]:
    _modules(package)
    ids = {
        str(message)
        for _, _, message, _, _ in extract_from_dir(
            ROOT / package, method_map=[("**.py", "python")], keywords={"_": None}
        )
    }
    for error in _subclasses(ZhenglianError):
        if error.__module__.partition(".")[0] == package:
            ids |= {error.message, error.hint}
    return ids - {""}


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_has_a_chinese_translation(package: str) -> None:
    source = ROOT / package / "locale" / "zh_CN.po"
    with source.open("rb") as stream:
        catalogue = {m.id: m for m in read_po(stream, locale="zh_CN") if m.id}
    wanted = _message_ids(package)
    missing = sorted(w for w in wanted if not getattr(catalogue.get(w), "string", ""))
    assert not missing, f"{len(missing)} texts without translation: {missing[:5]}"
    assert not [m for m in catalogue.values() if m.fuzzy]
    wrong = [w for w in wanted if _fields(w) != _fields(str(catalogue[w].string))]
    assert not wrong, f"placeholders differ: {wrong}"


@pytest.mark.parametrize("package", PACKAGES)
def test_error_codes_are_unique_and_say_what_to_do(package: str) -> None:
    _modules(package)
    codes: dict[str, type] = {}
    for error in _subclasses(ZhenglianError):
        if error.__module__.partition(".")[0] != package or error is ZhenglianError:
            continue
        assert error.code.startswith("ZL-")
        if "code" in vars(error):
            assert error.code not in codes, f"{error.code}: {error} and {codes[error.code]}"
            codes[error.code] = error
        assert error.hint, f"{error.__qualname__} says no next step"


# The wallet hears these from the issuer and says them again: one cause, one code, two sides.
HEARD = {
    "ZL-APPLICATION-MALFORMED",
    "ZL-APPLICATION-REFUSED",
    "ZL-APPLICATION-REPLAYED",
    "ZL-OFFER-INVALID",
}


def test_one_code_means_one_cause_in_the_whole_program() -> None:
    for package in PACKAGES:
        _modules(package)
    classes = [e for e in _subclasses(ZhenglianError) if "code" in vars(e)]
    codes = [e.code for e in classes if e.__module__.partition(".")[0] in PACKAGES]
    assert {code for code in codes if codes.count(code) > 1} == HEARD
