"""Taking a pruning back: the dense network returns bit for bit, until it is final."""

import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import NETWORKS, digits, kept
from tests.prune.table import PROMISES


def equal(net, other):
    assert {k: type(x) for k, x in net.layers().items()} == {
        k: type(x) for k, x in other.layers().items()
    }
    for name, array in other.state().items():
        assert_array_equal(net.state()[name], array)


@pytest.mark.parametrize("in_a_file", [False, True])
@pytest.mark.parametrize("name", ["one-shot", "movement", "RigL", "soft filters"])
def test_undone_everything_is_as_it_was(name, in_a_file, tmp_path):
    net = NETWORKS["conv"]()
    before = net.copy()
    undo = prune.Undo(path=tmp_path / "dense.safetensors" if in_a_file else None)
    procedures = [undo, *PROMISES[name].procedures()]
    nn.train(net, digits(), epochs=3, batch_size=48, procedures=procedures)
    assert kept(net) < kept(before)
    undo.undo(net)
    equal(net, before)
    undo.undo(net)  # and again
    equal(net, before)


def test_final_means_that_zeros_are_not_stored_and_nothing_is_kept(tmp_path):
    net = NETWORKS["conv"]()
    path = tmp_path / "dense.safetensors"
    undo = prune.Undo(net, path=path)
    prune.OneShot("magnitude", sparsity=0.8).run(net)
    final = undo.finalize(net)
    stored = sum(
        layer.params["weight"].size
        for layer in final.layers().values()
        if layer.prunable
    )
    assert stored == kept(net) == kept(final)
    assert not path.exists()
    with pytest.raises(ValueError, match="nothing is kept"):
        undo.undo(net)


def test_a_network_built_sparse_has_nothing_to_go_back_to():
    net = NETWORKS["linear"]()
    prune.OneShot("random", sparsity=0.5).run(net)
    prune.hold_sparsely(net)
    with pytest.raises(ValueError, match="no dense"):
        prune.Undo(net)
