"""A node that lost its disk asks the others before it cosigns, and never cosigns two trees."""

from __future__ import annotations

from registry.nodes.recovery import needed
from registry.simulation.adversaries import DishonestNode, DishonestSequencer
from registry.simulation.simulator import SEQUENCER, Consortium
from tests.registry.nodes.copies import assert_same
from tests.registry.submissions import anchor, resource


def test_how_many_others_must_be_heard(chain: Consortium) -> None:
    assert needed(chain.genesis) == 2


def test_a_node_that_lost_its_disk_rebuilds_from_others_and_cosigns_again(
    chain: Consortium,
) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 300)
    chain.settle()
    name = next(iter(chain.nodes))
    chain.lose_disk(name)
    chain.start_node(name, lost=True)
    node = chain.nodes[name]
    assert node.asking
    chain.stop_sequencer()  # it comes back without the sequencer, from the other nodes
    chain.catch_up()
    assert not node.asking
    assert node.mirror.size == chain.nodes["public-security"].mirror.size
    chain.restart_sequencer()
    anchor(chain, issuer, 3)
    assert chain.settle()
    assert_same(chain, name)
    assert node.status()["cosigned"]["size"] == node.mirror.size
    assert not node.status()["recovering"]


def test_a_node_without_memory_cosigns_nothing_before_it_heard_the_others(
    chain: Consortium,
) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 3)
    chain.settle()
    name, *others = chain.nodes
    chain.lose_disk(name)
    chain.part([name, SEQUENCER], others)
    chain.start_node(name, lost=True)
    chain.catch_up()
    assert chain.nodes[name].asking
    liar = DishonestSequencer(chain)
    answer = liar.ask(name)
    assert answer.status_code == 503
    assert b"ZL-NODE-RECOVERING" in answer.content
    assert chain.nodes[name].refusals() == []  # it says nothing about the chain
    chain.part([name, SEQUENCER, others[0]], others[1:])
    chain.catch_up()
    assert chain.nodes[name].asking  # one other is not enough
    chain.heal()
    chain.catch_up()
    assert liar.ask(name).status_code == 200
    liar.close()


def test_a_node_without_memory_does_not_help_a_fork(chain: Consortium) -> None:
    """It had cosigned the honest tree; the sequencer shows it another one after the loss."""
    issuer = chain.add_issuer()
    liar = DishonestSequencer(chain)  # from the state before
    anchor(chain, issuer, 3)
    chain.settle()
    size = chain.sequencer.reader.views[chain.genesis.origin].size
    name, *others = chain.nodes
    chain.lose_disk(name)
    liar.serve()
    while len(liar.rows[liar.main]) < size + 2:
        entry = resource(f"fork-{len(liar.rows[liar.main])}")
        liar.rows[liar.main] += liar.seal([entry])
    chain.start_node(name, lost=True)
    chain.catch_up()
    answer = liar.ask(name)
    assert answer.status_code == 422, answer.content
    accomplice = DishonestNode(chain, others[0])
    signed, refused = liar.collect(name, *others)
    assert signed == [accomplice.name]  # with one dishonest node of four there is no quorum
    assert len(refused) == 3
    liar.close()


def test_a_record_restored_from_an_old_copy_is_noticed(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name = next(iter(chain.nodes))
    chain.stop_node(name)
    folder = chain.node_folder(name)
    old = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    chain.start_node(name)
    liar = DishonestSequencer(chain)
    anchor(chain, issuer, 3)
    chain.settle()
    size = chain.nodes[name].status()["cosigned"]["size"]
    chain.stop_node(name)
    for path in folder.iterdir():
        path.unlink()
    for file, data in old.items():
        (folder / file).write_bytes(data)
    chain.start_node(name)
    node = chain.nodes[name]
    assert node.status()["cosigned"]["size"] < size
    node.learn(chain.catching_up[name]._inquiry.run())
    floor = node.floor()
    assert floor is not None
    assert floor.size == size
    # The tree that it had cosigned binds it, though its own record says nothing of it.
    liar.rows[liar.main] += liar.seal([resource("elsewhere")])
    liar.serve()
    assert liar.ask(name).status_code in (422, 503)
    liar.close()
