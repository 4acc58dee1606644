"""Plans: stages in order, recorded; the same from Python and from a file."""

import itertools
from functools import cache
from typing import get_type_hints

import pytest
from numpy.testing import assert_array_equal

from minprune import masks, metrics, nn, prune
from minprune.prune.plan_file import KINDS, ONLY_IN_PYTHON
from tests.prune.cases import digits, kept, size

TOML = """
[training]
batch_size = 48
lr = 1e-2
seed = 3

[[stage]]
name = "units"
remove = { criterion = "l1_norm", sparsity = 0.25 }
epochs = 1

[[stage]]
name = "weights"
procedures = [{ kind = "Gradual", criterion = "taylor", sparsity = 0.9, end = 4 }]
epochs = 2

[[stage]]
name = "recover"
epochs = 1
sparse = true
"""


@cache
def trained():
    net = nn.models.build("mlp", digits(), hidden=(16,), seed=0)
    nn.train(net, digits(), epochs=10, optimizer=nn.Adam(1e-2))
    return net


def in_python():
    gradual = prune.Gradual("taylor", sparsity=0.9, end=4)
    stages = [
        prune.Stage("units", prune.Remove(prune.Channels("l1_norm"), 0.25), epochs=1),
        prune.Stage("weights", procedures=[gradual], epochs=2),
        prune.Stage("recover", epochs=1, sparse=True),
    ]
    training = {"batch_size": 48, "optimizer": nn.Adam(1e-2), "seed": 3}
    return prune.Plan(stages, training)


def in_a_file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TOML)
    return prune.Plan.read(path)


def test_every_stage_is_recorded_before_and_after():
    net, records = in_python().run(trained(), digits())
    assert [record.stage for record in records] == ["units", "weights", "recover"]
    for one, other in itertools.pairwise(records):
        assert one.after == other.before
    assert records[0].before.weights == size(trained()) == 16 * 74
    assert records[0].after.weights == records[0].after.kept == 12 * 74
    assert records[1].after.kept == 12 * 74 - round(0.9 * 12 * 74)
    last = records[-1].after
    assert last.macs == last.kept == kept(net)
    assert last.bytes == metrics.count(net).file_bytes
    loss, score = nn.evaluate(net, digits().val, nn.cross_entropy)
    assert (last.val_loss, last.val_score) == (loss, score)


def test_a_stage_holds_weights_sparsely_only_if_it_is_asked_to():
    cut = prune.Stage("cut", procedures=[prune.OneShot(sparsity=0.9)])
    for sparse in (False, True):
        how = {"sparse": True} if sparse else {}
        rest = prune.Stage("rest", epochs=1, **how)
        net, _ = prune.Plan([cut, rest]).run(trained(), digits())
        assert net.macs() == (kept(net) if sparse else size(net))


def test_a_file_and_python_give_the_same_network(tmp_path):
    first, _ = in_python().run(trained(), digits())
    second, _ = in_a_file(tmp_path).run(trained(), digits())
    for name, array in first.parameters().items():
        assert_array_equal(second.parameters()[name], array)


def test_a_plan_can_be_followed_twice_and_leaves_the_network_alone():
    plan, before = in_python(), trained().copy().parameters()
    first, _ = plan.run(trained(), digits())
    second, _ = plan.run(trained(), digits())
    for name, array in first.parameters().items():
        assert_array_equal(second.parameters()[name], array)
    for name, array in trained().parameters().items():
        assert_array_equal(before[name], array)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[training]", "[traning]", "no table 'traning'; did you mean 'training'"),
        ("batch_size", "batchsize", "did you mean 'batch_size'"),
        ('kind = "Gradual"', 'kind = "Gradal"', "stage 2: .* did you mean 'Gradual'"),
        ("end = 4", "ending = 4", "stage 2, Gradual: .* did you mean 'end'"),
        ('"taylor"', '"tailor"', "stage 2, Gradual: .* did you mean 'taylor'"),
        ("sparsity = 0.9", "sparsity = 1.9", "stage 2, Gradual: .*sparsity is 1.9"),
        ("sparsity = 0.25", "", "this is no TOML"),
        (", sparsity = 0.25", "", "stage 1: remove has no sparsity"),
        ("epochs = 2", "epochs = -2", "stage 'weights': epochs is -2"),
        ("sparse = true", "sparce = true", "did you mean 'sparse'"),
        ("[[stage]]", "[[step]]", "no table 'step'; did you mean 'stage'"),
        ("[training]", "[training", "this is no TOML"),
        ("[training]", "[[training]]", "training is .*; expected a table"),
        ("batch_size = 48", "batch_size = 4.5", "4.5; expected a whole number"),
        ("lr = 1e-2", 'lr = "fast"', "lr is 'fast'; expected a number"),
        ("lr = 1e-2", "lr = -1", "\\[training\\]: Adam: lr is -1; expected"),
        ("seed = 3", "seed = true", "seed is True; expected a whole number"),
        ('"units"', "5", "stage 1: name is 5; expected text"),
        ("sparse = true", "sparse = 1", "sparse is 1; expected true or false"),
        ("epochs = 2", 'epochs = "2"', "epochs is '2'; expected a whole number"),
        ("procedures = [", "procedures = 3 # [", "is 3; expected a list"),
        ("procedures = [{ kind = ", "procedures = [ #", "this is no TOML"),
        ("[{ kind", '["Gradual", { kind', "a procedure is 'Gradual'; expected a table"),
        ("remove = {", 'remove = "l1_norm" # {', "'l1_norm'; expected a table"),
        ("end = 4", "end = false", "Gradual: end is False; expected a number of steps"),
        (
            "end = 4",
            "scope = 1",
            "scope is 1; expected 'layer' or 'network' or a table",
        ),
        ("end = 4", "exclude = 'fc*'", r"'fc\*'; expected a list, each entry text"),
        ("end = 4", "block = [4]", r"\[4\]; expected a list of 2, each a whole number"),
        ("end = 4", "min_keep = 0.5", "0.5; expected a whole number or a table"),
        ("end = 4", "channels = {}", "no key 'channels'"),
        ("0.25", "0.25, reduce = 'mean'", "which no file can name; leave it out"),
        ("0.25", "'much'", "sparsity is much; expected a number"),
        ('kind = "Gradual"', 'kind = "TaskShot"', "which no file can name; write"),
        (
            'kind = "Gradual"',
            'kind = "Undo"',
            "leaves the network it is given as it is",
        ),
        ('kind = "Gradual"', "kind = 7", "there is no kind 7"),
    ],
)
def test_a_file_says_where_it_is_wrong(old, new, message, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(ValueError, match=f"plan.toml: .*{message}"):
        prune.Plan.read(path)


def test_parts_of_procedures_are_tables_of_their_own():
    channels = {"criterion": "l1_norm", "min_keep": 2}
    plan = prune.Plan.parse(
        {
            "stage": [
                {
                    "procedures": [
                        {"kind": "GradualChannels", "sparsity": 0.5}
                        | {"channels": channels}
                    ]
                },
                {"procedures": [{"kind": "Adaptive", "ramp": {"value": 0.25}}]},
            ]
        }
    )
    first, second = (stage.procedures[0] for stage in plan.stages)
    assert first.channels == prune.Channels("l1_norm", min_keep=2)
    assert second.ramp == masks.AdaptiveThreshold(0.25)


def test_every_procedure_of_training_can_be_named_in_a_file():
    """All but those of which it is said why not."""
    there = {
        name
        for name in prune.__all__
        if isinstance(made := getattr(prune, name), type)
        and issubclass(made, nn.Procedure)
    }
    assert there - set(ONLY_IN_PYTHON) == set(KINDS)


def test_every_value_of_a_procedure_is_held_to_its_type():
    """No key of any kind takes whatever comes: what cannot be is refused by name."""
    for name, kind in KINDS.items():
        hints = get_type_hints(kind.__init__)
        for key in hints.keys() - {"return", "how", "channels", "ramp"}:
            table = {"kind": name, key: [["no", "such"], 1.5]}
            with pytest.raises(ValueError, match=f"stage 1, {name}: {key} is .*expect"):
                prune.Plan.parse({"stage": [{"procedures": [table]}]})


def test_a_plan_leaves_its_network_alone_so_that_nothing_is_to_be_undone():
    with pytest.raises(ValueError, match="stage 'a': Undo has nothing to keep"):
        prune.Plan([prune.Stage("a", procedures=[prune.Undo()])])


def test_no_stage_is_no_plan():
    with pytest.raises(ValueError, match="there are no stages"):
        prune.Plan([])
    with pytest.raises(ValueError, match="there are no stages"):
        prune.Plan.parse({})


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (
            [
                prune.Stage("a", procedures=[prune.OneShot(sparsity=0.8)], epochs=1),
                prune.Stage("b", procedures=[prune.OneShot(sparsity=0.5)], epochs=1),
            ],
            r"stage 2 \(b\): .* nearest that can be met is 947 \(sparsity 0.79",
        ),
        (
            [
                prune.Stage("a", epochs=1),
                prune.Stage(
                    "b", procedures=[prune.Gradual(sparsity=0.5, end=9)], epochs=1
                ),
            ],
            r"stage 2 \(b\): .* the nearest that can be met is 3",
        ),
        (
            [
                prune.Stage("a", procedures=[prune.Movement(sparsity=0.8)], epochs=1),
                prune.Stage("b", procedures=[prune.OneShot(sparsity=0.5)], epochs=1),
            ],
            r"stage 2 \(b\): .* are already gone and stay gone",
        ),
    ],
)
def test_what_a_later_stage_cannot_meet_is_refused_before_anything_is_trained(
    stages, message
):
    seen = []

    def look(record):
        seen.append(record)

    with pytest.raises(ValueError, match=message):
        prune.Plan(stages).run(trained(), digits(), progress=look)
    assert not seen
