"""How a network stands, as far as it can be seen from outside: who is there, and who is behind.

The sequencer's own report when it answers; when it does not, what the nodes say, one by one. What
anybody says of itself is proved by nothing and told as such. The newest checkpoint that a quorum
has cosigned is verified here, from whichever address shows it, and stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeGuard

import httpx

from registry.client import Cosigned, RegistryClient
from registry.errors import EntryUnknown, RegistryError, RegistryUnreachable
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time, is_url
from registry.reading.sources import HttpSource
from schemas.errors import Phrase, printable

_MAX_TOLD: Final = 64  # nodes or chains in what a stranger says

Told = Mapping[str, Any]


def standing(
    genesis: Genesis,
    urls: Sequence[str],
    nodes: Mapping[str, str] | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
) -> dict[str, Any]:
    """The state of the network; `urls` of sequencers or nodes, `nodes` of nodes by name.

    Raises RegistryUnreachable when nobody answers at all.
    """
    heard = _ask({url: url for url in urls}, transport)
    sequencers = {url: told for url, told in heard.items() if _of_sequencer(told)}
    known = {name: url for name, url in (nodes or {}).items() if is_url(url)}
    for told in heard.values():
        if isinstance(told, Mapping):
            for name, url in _addresses(told).items():
                known.setdefault(name, url)
    names = {node.name for node in genesis.nodes}
    by_name = _ask({name: url for name, url in known.items() if name in names}, transport)
    for url, told in heard.items():
        if isinstance(told, Mapping) and told.get("node") in names:
            by_name[str(told["node"])] = told
            known.setdefault(str(told["node"]), url)
    answering = [url for url, told in heard.items() if isinstance(told, Mapping)]
    answering += [known[name] for name, told in by_name.items() if isinstance(told, Mapping)]
    if not answering:
        troubles = [told for told in heard.values() if isinstance(told, RegistryError)]
        raise troubles[0] if troubles else RegistryUnreachable(reason="no address is configured")
    verified = _verified(genesis, list(dict.fromkeys(answering)), transport)
    whole: dict[str, Any]
    if sequencers:
        # Who takes the entries knows the nodes; a stand-by reads only.
        reports: list[Told] = list(sequencers.values())
        whole = dict(next((told for told in reports if "standby" not in told), reports[0]))
        _add_own_words(whole, by_name)
    else:
        whole = _from_nodes(genesis, known, by_name, verified)
        whole["alarms"] = [
            "the sequencer does not answer: nothing new is taken in",
            *whole["alarms"],
        ]
    whole["sequencer"] = {
        "answers": bool(sequencers),
        "asked": [
            {"url": url, "error": str(told) if isinstance(told, RegistryError) else None}
            for url, told in heard.items()
            if not (isinstance(told, Mapping) and "node" in told)
        ],
    }
    whole["verified"] = (
        {"size": verified.size, "time": encode_time(verified.time)} if verified else None
    )
    return whole


def _ask(
    addresses: Mapping[str, str], transport: httpx.BaseTransport | None
) -> dict[str, Told | RegistryError]:
    def ask(url: str) -> Told | RegistryError:
        source = HttpSource(url, transport=transport)
        try:
            return source.told()
        except RegistryError as error:
            return error
        finally:
            source.close()

    if not addresses:
        return {}
    with ThreadPoolExecutor(min(16, len(addresses))) as pool:
        return dict(zip(addresses, pool.map(ask, addresses.values()), strict=True))


def _of_sequencer(told: Told | RegistryError) -> TypeGuard[Told]:
    """Whether it has the form of a sequencer's report, so that it can be shown as one."""
    if not isinstance(told, Mapping) or "node" in told:
        return False
    main, chains, nodes = told.get("main"), told.get("chains"), told.get("nodes")
    return (
        isinstance(main, Mapping)
        and {"size", "cosignedSize", "cosignedAt"} <= main.keys()
        and isinstance(chains, list)
        and all(isinstance(one, Mapping) and {"origin", "size"} <= one.keys() for one in chains)
        and isinstance(nodes, list)
        and all(
            isinstance(one, Mapping) and {"name", "size", "error", "cosignedAt"} <= one.keys()
            for one in nodes
        )
        and isinstance(told.get("alarms"), list)
        and isinstance(told.get("network"), str)
    )


def _addresses(told: Told) -> dict[str, str]:
    listed = told.get("nodes")
    found = listed[:_MAX_TOLD] if isinstance(listed, list) else []
    return {
        str(node.get("name")): str(node["url"])
        for node in found
        if isinstance(node, Mapping) and is_url(node.get("url"))
    }


def _verified(
    genesis: Genesis, urls: list[str], transport: httpx.BaseTransport | None
) -> Cosigned | None:
    with RegistryClient(urls, genesis, transport=transport) as client:
        try:
            return client.cosigned()
        except EntryUnknown:
            return None  # nothing was cosigned yet


def _number(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


def _part(told: Told, name: str) -> Told:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(printable(value)) if isinstance(value, str) else None


def _add_own_words(whole: dict[str, Any], by_name: Mapping[str, Told | RegistryError]) -> None:
    """What nodes say of themselves beside what the sequencer says of them."""
    for node in whole["nodes"]:
        told = by_name.get(node["name"])
        if isinstance(told, RegistryError):
            node["reachable"] = False
        elif told is not None:
            node["reachable"] = True
            node["mirrored"] = _number(_part(told, "main").get("size"))
            node["recovering"] = bool(told.get("recovering"))


def _from_nodes(
    genesis: Genesis,
    known: Mapping[str, str],
    by_name: Mapping[str, Told | RegistryError],
    verified: Cosigned | None,
) -> dict[str, Any]:
    """The same members that a sequencer reports, out of what the nodes say."""
    reports = {name: told for name, told in by_name.items() if isinstance(told, Mapping)}
    size = max((_number(_part(told, "main").get("size")) for told in reports.values()), default=0)
    size = max(size, verified.size if verified else 0)
    nodes: list[dict[str, Any]] = []
    for node in genesis.nodes:
        told = by_name.get(node.name)
        cosigned = _part(told, "cosigned") if isinstance(told, Mapping) else {}
        error = "no address is known" if told is None else None
        if isinstance(told, RegistryError):
            error = str(told.params.get("reason", told))
        elif told is not None:
            error = _text(told.get("error"))
        nodes.append(
            {
                "name": node.name,
                "title": dict(node.title),
                "url": known.get(node.name),
                "cosignedAt": _text(cosigned.get("time")),
                "size": _number(cosigned.get("size")),
                "lag": max(0, size - _number(cosigned.get("size"))),
                "error": error,
                "refused": bool(error) and isinstance(told, Mapping),
                "reachable": isinstance(told, Mapping),
            }
        )
    chains: dict[str, dict[str, Any]] = {}
    for told in reports.values():
        listed = told.get("chains")
        for chain in listed[:_MAX_TOLD] if isinstance(listed, list) else []:
            origin = _text(chain.get("origin")) if isinstance(chain, Mapping) else None
            if origin is None or not origin.startswith(f"{genesis.network}/"):
                continue
            held = chains.setdefault(origin, {"origin": origin, "size": 0})
            held["purpose"] = _text(chain.get("purpose"))
            held["scenario"] = _text(chain.get("scenario"))
            held["size"] = max(held["size"], _number(chain.get("size")))
    alarms = [
        Phrase("node {name}: {error}", name=node["name"], error=node["error"])
        for node in nodes
        if node["error"]
    ]
    able = sum(node["error"] is None for node in nodes)
    if able < genesis.quorum:
        alarms.insert(
            0,
            Phrase(
                "no quorum: {count} of {quorum} nodes can cosign", count=able, quorum=genesis.quorum
            ),
        )
    return {
        "network": genesis.network,
        "quorum": genesis.quorum,
        "main": {
            "origin": genesis.origin,
            "size": size,
            "cosignedSize": verified.size if verified else 0,
            "cosignedAt": encode_time(verified.time) if verified else None,
            "current": verified is not None and verified.size == size,
        },
        "chains": list(chains.values()),
        "nodes": nodes,
        "alarms": alarms,
    }
