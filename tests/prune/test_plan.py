"""Plans: stages in order, recorded; the same from Python and from a file."""

import itertools
from functools import cache

import pytest
from numpy.testing import assert_array_equal

from minprune import masks, metrics, nn, prune
from minprune.prune.plan import KINDS
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
    """All but those that are given a network, a file or losses in Python."""
    there = {
        name
        for name in prune.__all__
        if isinstance(made := getattr(prune, name), type)
        and issubclass(made, nn.Procedure)
    }
    assert there - {"TaskShot", "Undo"} == set(KINDS)


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
