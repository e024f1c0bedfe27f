"""What an address shows of the main chain: its published checkpoint, and what a witness cosigned.

Guaranteed: a tree is compared and recorded only with the log's signature on it, and vouched for
only with the quorum's (`Genesis.policy`). A checkpoint that lacks its quorum is compared all the
same: the log has signed it, and may have signed another one.
"""

from __future__ import annotations

from registry.errors import QuorumMissing, RegistryError
from registry.ledger.members import encode_time
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.policy import CosignedCheckpoint
from registry.trust.evidence import Statement
from registry.watching.address import Address
from registry.watching.alarms import QUORUM
from registry.watching.alarms import marked as _
from registry.watching.look import Look, posix_time
from registry.watching.trees import MONITORED, PUBLISHED, compare


def check_main(look: Look, address: Address) -> CosignedCheckpoint | None:
    """Check what one address shows of the main chain; the checkpoint, if a quorum cosigned it.

    Raises RegistryUnreachable, and StoreFailed when evidence cannot be kept.
    """
    told = look.round.addresses.setdefault(address.url, {})
    published = address.checkpoint(look.main)
    cosigned = _cosigned(look, address, published) if published is not None else None
    for path, note in ((PUBLISHED, published), (MONITORED, address.monitored(look.main))):
        if note is not None:
            _check_note(look, address, path, note)
    if cosigned is not None:
        told["size"], told["time"] = cosigned.size, posix_time(cosigned.time_s)
        statement = Statement(note=cosigned.data, address=address.url)
        look.state.vouch(cosigned.size, cosigned.time_s or 0, statement)
    return cosigned


def _cosigned(look: Look, address: Address, note: bytes) -> CosignedCheckpoint | None:
    try:
        return look.genesis.policy.check(note, origin=look.main, now=look.time_s)
    except QuorumMissing as error:
        look.alarm(
            QUORUM,
            _(
                "{address} shows a main checkpoint that {found} nodes have cosigned; "
                "{needed} are needed"
            ),
            address,
            look.main,
            found=error.params["found"],
            needed=error.params["needed"],
        )
    except RegistryError as error:
        look.forged(address, look.main, error)
    return None


def _check_note(look: Look, address: Address, path: str, note: bytes) -> None:
    nodes = {key: node.name for node in look.genesis.nodes for key in node.keys}
    try:
        signed = open_checkpoint(note, look.main, look.genesis.log_keys, nodes)
    except RegistryError as error:
        look.forged(address, look.main, error)
        return
    for key, moment in signed.cosignatures.items():
        look.state.cosign(nodes[key], signed.size, moment)
    said = Statement(note=note, address=address.url, seen=encode_time(look.time))
    compare(look, address, path, signed.checkpoint, said)
