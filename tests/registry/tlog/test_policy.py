"""Trust policies: the file format, who counts, and the two times of a quorum."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from registry.errors import (
    CheckpointForeign,
    NoteForged,
    NoteUnsigned,
    PolicyMalformed,
    QuorumMissing,
)
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.note import ED25519_COSIGNATURE, ML_DSA_44, Note, NoteSignature, NoteSigner
from registry.tlog.policy import Policy

ORIGIN = "hangzhou.example/main"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
NODES = {
    name: NoteSigner.from_seed(f"hangzhou.example/{name}", bytes([i]) * 32, ED25519_COSIGNATURE)
    for i, name in enumerate(("data", "police", "courts", "civil"), start=10)
}
POLICY = Policy.k_of_n(3, {name: node.key for name, node in NODES.items()}, [LOG.key])
CHECKPOINT = Checkpoint(ORIGIN, 5, bytes(range(32)))


def cosigned(times: Iterable[tuple[str, int]], log: NoteSigner = LOG) -> bytes:
    note = Note.parse(CHECKPOINT.sign(log))
    extra = [NODES[name].sign(CHECKPOINT.text, t) for name, t in times]
    return Note(note.text, (*note.signatures, *extra)).encode()


def test_three_of_four_is_a_quorum() -> None:
    result = POLICY.check(cosigned([("data", 30), ("police", 10), ("civil", 20)]), origin=ORIGIN)
    assert (result.origin, result.size, result.root) == (ORIGIN, 5, CHECKPOINT.root)
    assert result.checkpoint == CHECKPOINT
    assert result.cosigners == {"data": 30, "police": 10, "civil": 20}
    assert (result.time_s, result.reached_s) == (10, 30)
    assert result.time == datetime.fromtimestamp(10, UTC)
    assert result.reached == datetime.fromtimestamp(30, UTC)


def test_times_of_four() -> None:
    data = cosigned([("data", 30), ("police", 10), ("civil", 20), ("courts", 40)])
    result = POLICY.check(data)
    # Three held it as the latest at 20 or later; three had seen it by 30.
    assert (result.time_s, result.reached_s) == (20, 30)


def test_one_clock_far_ahead_does_not_make_it_fresh() -> None:
    data = cosigned([("data", 100), ("police", 100), ("civil", 101), ("courts", 10**12)])
    assert POLICY.check(data).time_s == 100


def test_two_of_four_are_too_few() -> None:
    with pytest.raises(QuorumMissing) as caught:
        POLICY.check(cosigned([("data", 30), ("police", 10)]))
    assert caught.value.params == {"origin": ORIGIN, "found": 2, "needed": 3}


def test_one_node_counts_once() -> None:
    with pytest.raises(QuorumMissing):
        POLICY.check(cosigned([("data", 1), ("data", 2), ("data", 3)]))


def test_a_cosignature_from_the_future_does_not_count() -> None:
    data = cosigned([("data", 1000), ("police", 1000), ("civil", 5000)])
    assert POLICY.check(data).cosigners["civil"] == 5000
    assert POLICY.check(data, now=4900).cosigners["civil"] == 5000
    with pytest.raises(QuorumMissing):
        POLICY.check(data, now=1000)


def test_a_cosignature_without_a_time_does_not_count() -> None:
    with pytest.raises(QuorumMissing):
        POLICY.check(cosigned([("data", 1), ("police", 1), ("civil", 0)]))


def test_a_forged_cosignature_rejects_even_a_full_quorum() -> None:
    note = Note.parse(cosigned([("data", 1), ("police", 1), ("civil", 1)]))
    key = NODES["courts"].key
    with pytest.raises(NoteForged):
        POLICY.check(
            Note(note.text, (*note.signatures, NoteSignature(key.name, key.id, bytes(72)))).encode()
        )


def test_log_must_be_listed_and_must_have_signed() -> None:
    times = [("data", 1), ("police", 1), ("civil", 1)]
    stranger = NoteSigner.from_seed(ORIGIN, b"\x77" * 32)
    with pytest.raises(NoteUnsigned):
        POLICY.check(cosigned(times, stranger))
    text = Checkpoint("other.example", 5, CHECKPOINT.root).text
    with pytest.raises(NoteUnsigned):
        POLICY.check(Note(text, (NODES["data"].sign(text, 1),)).encode())
    with pytest.raises(CheckpointForeign):
        POLICY.check(cosigned(times), origin="hangzhou.example/identity")


def key_lines() -> str:
    return f"log {LOG.key.encode()} https://log.example/\n" + "".join(
        f"witness {name} {node.key.encode()}\n" for name, node in NODES.items()
    )


def test_nested_groups_and_times() -> None:
    policy = Policy.parse(
        (
            "# two houses\n\n \t" + key_lines() + "group a any data police\n"
            "group b 1 courts civil\n\tgroup both\tall  a b \nquorum both\n"
        ).encode()
    )
    assert policy == Policy.parse(policy.encode())
    with pytest.raises(QuorumMissing):
        policy.check(cosigned([("data", 1), ("police", 1)]))
    result = policy.check(cosigned([("data", 30), ("police", 10), ("civil", 20)]))
    # Group a: fresh as of 30, reached by 10; group b: 20 and 20.
    assert (result.time_s, result.reached_s) == (20, 20)


def test_quorum_of_one_witness_and_of_none() -> None:
    one = Policy.parse((key_lines() + "quorum data\n").encode())
    assert one.check(cosigned([("data", 7)])).time_s == 7
    with pytest.raises(QuorumMissing):
        one.check(cosigned([("police", 7)]))
    none = Policy.parse((key_lines() + "quorum none\n").encode())
    assert none.check(cosigned([])).time is None
    assert none.check(cosigned([])).reached is None


def test_k_of_n_reads_back() -> None:
    assert Policy.parse(POLICY.encode()) == POLICY
    for k in (0, 5):
        with pytest.raises(PolicyMalformed):
            Policy.k_of_n(k, {name: node.key for name, node in NODES.items()})


def test_what_the_octets_of_a_file_may_be() -> None:
    # tlog-policy, "Character set" and "Structure"
    vkey = NODES["data"].key.encode().encode()
    text = b"\t # \xff\xfe\n \t \n\twitness  a \t" + vkey + b" https://x/\xe9#\xff \nquorum a\t\n"
    policy = Policy.parse(text)
    assert policy.quorum == "a"
    assert Policy.parse(policy.encode()) == policy
    for octet in [*range(9), *range(11, 32), 127]:
        with pytest.raises(PolicyMalformed):
            Policy.parse(b"# " + bytes([octet]) + b"\nquorum none\n")
    # Spaces of Unicode part nothing, and are no part of the syntax.
    with pytest.raises(PolicyMalformed):
        Policy.parse("witness\u00a0a ".encode() + vkey + b"\nquorum a\n")
    named = Policy.parse("witness a\u3000b ".encode() + vkey + "\nquorum a\u3000b\n".encode())
    assert named.quorum == "a\u3000b"


def test_words_of_the_syntax_are_names_like_any_other() -> None:
    keys = [
        NoteSigner.from_seed(f"w{i}", bytes([i]) * 32, ED25519_COSIGNATURE) for i in range(1, 5)
    ]
    names = ["all", "any", "2", "#x"]
    lines = [f"witness {n} {k.key.encode()}" for n, k in zip(names, keys, strict=True)]
    policy = Policy.parse(
        "\n".join([*lines, "group quorum 2 all any 2 #x", "quorum quorum", ""]).encode()
    )
    assert policy.groups["quorum"].members == tuple(names)


def test_as_large_as_it_must_be() -> None:
    # tlog-policy, "Implementation limits": 32 logs, 32 witnesses, 32 groups; here each of ML-DSA.
    def key(name: str, kind: int, i: int) -> str:
        return NoteSigner.from_seed(f"{name}{i}", bytes([kind, i]) * 16, ML_DSA_44).key.encode()

    lines = [f"log {key('log', 1, i)} https://log.example/{i}" for i in range(32)]
    lines += [f"witness w{i} {key('w', 2, i)} https://w.example/{i}" for i in range(32)]
    lines += ["group g0 any w0", *(f"group g{i} all g{i - 1} w{i}" for i in range(1, 32))]
    policy = Policy.parse("\n".join([*lines, "quorum g31", ""]).encode())
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)


def test_names_are_octets() -> None:
    vkey = NODES["data"].key.encode().encode()
    policy = Policy.parse(b"witness \xff\xe8 " + vkey + b"\nquorum \xff\xe8\n")
    assert policy.encode().endswith(b"quorum \xff\xe8\n")
    with pytest.raises(PolicyMalformed):
        Policy.parse(b"witness K " + vkey + b"\nquorum \xe2\x84\xaa\n")
    with pytest.raises(PolicyMalformed):  # but the names in keys are UTF-8
        Policy.parse(b"witness a \xff" + vkey + b"\nquorum a\n")


DATA = NODES["data"].key.encode()
POLICE = NODES["police"].key.encode()
RENAMED = NoteSigner.from_seed("hangzhou.example/alias", b"\x0a" * 32, ED25519_COSIGNATURE)
BAD = {
    "no_quorum": (1, "witness a {d}\n"),
    "two_quorums": (2, "quorum none\nquorum none\n"),
    "unknown_quorum": (1, "quorum a\n"),
    "no_final_newline": (1, "quorum none"),
    "carriage_return": (0, "quorum none\r\n"),
    "unknown_word": (1, "wittness a {d}\nquorum a\n"),
    "too_few_words": (1, "witness a\nquorum a\n"),
    "too_many_words": (1, "quorum none none\n"),
    "bad_vkey": (1, "witness a x+y+z\nquorum a\n"),
    "log_key_as_witness": (1, "witness a {l}\nquorum a\n"),
    "witness_key_as_log": (1, "log {d}\nquorum none\n"),
    "one_key_two_witnesses": (2, "witness a {d}\nwitness b {r}\nquorum a\n"),
    "one_key_two_logs": (2, "log {l}\nlog {l}\nquorum none\n"),
    "name_twice": (2, "witness a {d}\nwitness a {p}\nquorum a\n"),
    "group_named_as_witness": (2, "witness a {d}\ngroup a any a\nquorum a\n"),
    "name_none": (1, "witness none {d}\nquorum none\n"),
    "none_in_group": (1, "group g any none\nquorum g\n"),
    "group_empty": (2, "witness a {d}\ngroup g any\nquorum g\n"),
    "group_zero": (2, "witness a {d}\ngroup g 0 a\nquorum g\n"),
    "group_too_many": (2, "witness a {d}\ngroup g 2 a\nquorum g\n"),
    "group_leading_zero": (2, "witness a {d}\ngroup g 01 a\nquorum g\n"),
    "group_before_its_member": (1, "group g any a\nwitness a {d}\nquorum g\n"),
    "group_of_itself": (1, "group g any g\nquorum g\n"),
    "member_twice": (2, "witness a {d}\ngroup g 2 a a\nquorum g\n"),
    "member_in_two_groups": (
        4,
        "witness a {d}\nwitness b {p}\ngroup g any a\ngroup h any a b\nquorum h\n",
    ),
}


@pytest.mark.parametrize("defect", BAD)
def test_malformed(defect: str) -> None:
    line, text = BAD[defect]
    filled = text.format(d=DATA, p=POLICE, l=LOG.key.encode(), r=RENAMED.key.encode())
    with pytest.raises(PolicyMalformed) as caught:
        Policy.parse(filled.encode())
    if defect != "no_quorum":
        assert caught.value.params["line"] == line


# --- two keys a party -------------------------------------------------------------------------

LOG_PQ = NoteSigner.from_seed(ORIGIN, b"\x02" * 32, ML_DSA_44)
PQ = {
    name: NoteSigner.from_seed(f"hangzhou.example/{name}", bytes([i]) * 32, ML_DSA_44)
    for i, name in enumerate(NODES, start=30)
}
KEYS = {name: (NODES[name].key, PQ[name].key) for name in NODES}
LOGS = (LOG.key, LOG_PQ.key)
EITHER = Policy.k_of_n(3, KEYS, LOGS)
BOTH = Policy.k_of_n(3, KEYS, LOGS, each="all")
POST_QUANTUM = Policy.k_of_n(3, {name: PQ[name].key for name in NODES}, [LOG_PQ.key])


def signed_by(*signers: NoteSigner, logs: tuple[NoteSigner, ...] = (LOG, LOG_PQ)) -> bytes:
    note = Note.parse(CHECKPOINT.sign(*logs))
    lines = [signer.sign(CHECKPOINT.text, 50 + i) for i, signer in enumerate(signers)]
    return Note(note.text, (*note.signatures, *lines)).encode()


def test_who_signs_with_both_keys_counts_once() -> None:
    twice = signed_by(NODES["data"], PQ["data"], NODES["police"], PQ["police"])
    with pytest.raises(QuorumMissing) as caught:
        EITHER.check(twice)
    assert caught.value.params["found"] == 2
    found = EITHER.check(signed_by(NODES["data"], PQ["data"], NODES["police"], PQ["civil"]))
    assert found.cosigners == {"data": 51, "police": 52, "civil": 53}
    assert set(found.witnesses) == {
        "data/ed25519",
        "data/ml-dsa-44",
        "police/ed25519",
        "civil/ml-dsa-44",
    }
    assert (found.time_s, found.reached_s) == (51, 53)


def test_a_policy_may_want_both_keys() -> None:
    nodes = ("data", "police", "civil")
    whole = [*(NODES[name] for name in nodes), *(PQ[name] for name in nodes)]
    assert set(BOTH.check(signed_by(*whole)).cosigners) == set(nodes)
    with pytest.raises(QuorumMissing):
        BOTH.check(signed_by(*whole[1:]))


def test_a_policy_may_want_post_quantum_keys_alone() -> None:
    ed25519 = signed_by(*NODES.values())
    with pytest.raises(QuorumMissing):
        POST_QUANTUM.check(ed25519)
    both = signed_by(*NODES.values(), *PQ.values())
    assert len(POST_QUANTUM.check(both).cosigners) == 4
    with pytest.raises(NoteUnsigned):
        POST_QUANTUM.check(signed_by(*PQ.values(), logs=(LOG,)))


def test_a_log_is_not_its_own_witness() -> None:
    # Its signature has a time, too, but none that a quorum counts.
    policy = Policy.k_of_n(1, {"self": LOG_PQ.key}, LOGS)
    note = Note.parse(CHECKPOINT.sign(LOG))
    line = LOG_PQ.sign(CHECKPOINT.text, 50)
    with pytest.raises(QuorumMissing):
        policy.check(Note(note.text, (*note.signatures, line)).encode())


def test_one_forged_line_of_a_known_key_rejects_the_note() -> None:
    good = signed_by(*NODES.values())
    line = PQ["data"].sign(CHECKPOINT.text, 50)
    forged = NoteSignature(line.name, line.key_id, line.blob[:-1] + bytes([line.blob[-1] ^ 1]))
    note = Note.parse(good).with_signatures([forged])
    with pytest.raises(NoteForged):
        EITHER.check(note.encode())
    POLICY.check(note.encode())  # to whom that key means nothing, nothing changed


def test_addresses_are_kept() -> None:
    text = (
        f"log {LOG.key.encode()} https://log.example/main/\n"
        f"log {LOG_PQ.key.encode()}\n"
        f"witness a {NODES['data'].key.encode()} https://a.example/\n"
        f"witness b {PQ['data'].key.encode()}\n"
        "quorum none\n"
    )
    policy = Policy.parse(text.encode())
    assert policy.log_urls == {LOG.key: "https://log.example/main/"}
    assert policy.witness_urls == {"a": "https://a.example/"}
    assert policy.encode().decode() == text
    found = policy.check(signed_by(NODES["data"], PQ["data"]))
    assert found.cosigners == {"a": 50, "b": 51}
    assert found.time is None
