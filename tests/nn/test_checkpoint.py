"""Whoever is killed and goes on ends in the bits of whoever was never killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, save
from minprune.files import container
from minprune.sparse import SparseLinear
from tests.nn import killable

ROOT = Path(__file__).parents[2]
STEPS = killable.EPOCHS * -(-killable.SAMPLES // killable.BATCH)


def start(folder, every):
    arguments = [str(folder / "run.ckpt"), str(folder / "out.safetensors"), str(every)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.nn.killable", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_at(process, steps, how, delay=0.0):
    """Let a run make some steps, send it a signal, and wait for its end."""
    for _ in range(steps):
        process.stdout.readline()
    time.sleep(delay)
    process.send_signal(how)
    return process.communicate(timeout=60)


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    """Bytes of the network and the history of a run without a checkpoint."""
    path = tmp_path_factory.mktemp("straight") / "out.safetensors"
    net, ds = killable.build()
    history = killable.train(net, ds, None)
    save(net, path)
    return path.read_bytes(), f"history {history}"


@pytest.mark.parametrize("every", [1, 4])
def test_killed_many_times_ends_in_the_same_bits(tmp_path, never_killed, every):
    """SIGKILL after a drawn number of steps, often while the checkpoint is written."""
    rng, kills, reached = np.random.default_rng(every), 0, 0
    while True:
        process = start(tmp_path, every)
        steps = int(rng.integers(2 * every, 9))
        if kills == 4 or reached > STEPS - 2 * every:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            break
        stop_at(process, steps, signal.SIGKILL, delay=rng.uniform(0, 2e-3))
        assert process.returncode == -signal.SIGKILL
        kills += 1
        (facts,) = container.read(tmp_path / "run.ckpt")[1].values()
        assert json.loads(facts)["step"] > reached - every
        reached = json.loads(facts)["step"]
    assert kills >= 3
    assert (tmp_path / "out.safetensors").read_bytes() == never_killed[0]
    assert out.strip().splitlines()[-1] == never_killed[1]


def test_ctrl_c_saves_and_says_nothing_but_that(tmp_path, never_killed):
    process = start(tmp_path, every=1000)
    _, err = stop_at(process, 5, signal.SIGINT)
    assert process.returncode != 0
    assert err.rstrip().endswith("KeyboardInterrupt")
    (facts,) = container.read(tmp_path / "run.ckpt")[1].values()
    assert 5 <= json.loads(facts)["step"] < STEPS
    process = start(tmp_path, every=1000)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (tmp_path / "out.safetensors").read_bytes() == never_killed[0]
    assert out.strip().splitlines()[-1] == never_killed[1]


class Stops(Exception):
    pass


class Wanders(killable.Wanders):
    """Breaks the run at one step, from inside; files know procedures by their name."""

    def __init__(self, stop):
        super().__init__()
        self.stop = stop

    def before_step(self, run):
        if run.step == self.stop:
            raise Stops
        super().before_step(run)


@pytest.mark.parametrize("step", range(0, STEPS, 3))
def test_stopped_before_a_step_ends_in_the_same_bits(tmp_path, never_killed, step):
    checkpoint = nn.Checkpoint(tmp_path / "run.ckpt", every=2)
    net, ds = killable.build()
    with pytest.raises(Stops):
        killable.train(net, ds, checkpoint, Wanders(step))
    net, ds = killable.build()
    history = killable.train(net, ds, checkpoint)
    save(net, tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == never_killed[0]
    assert f"history {history}" == never_killed[1]


def finished(tmp_path):
    checkpoint = nn.Checkpoint(tmp_path / "run.ckpt")
    net, ds = killable.build()
    killable.train(net, ds, checkpoint)
    return checkpoint, ds


def test_a_finished_run_is_not_repeated(tmp_path, never_killed):
    checkpoint, ds = finished(tmp_path)
    before = Path(checkpoint.path).read_bytes()
    net, _ = killable.build()
    killable.train(net, ds, checkpoint)
    save(net, tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == never_killed[0]
    assert Path(checkpoint.path).read_bytes() == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint, ds = finished(tmp_path)
    net, _ = killable.build()
    same = {"epochs": killable.EPOCHS, "batch_size": killable.BATCH, "seed": 5}
    for change, message in [
        ({"seed": 6}, r"with seed 5, but this run has 6; repeat that run"),
        ({"batch_size": 8}, r"with batch_size 16, but this run has 8"),
        (
            {"optimizer": nn.Adam(1e-3)},
            r"with optimizer 'Adam\(lr=0\.005, .* has 'Adam\(lr=0\.001",
        ),
    ]:
        options = same | {"optimizer": nn.Adam(5e-3)} | change
        with pytest.raises(ValueError, match=message):
            nn.train(net, ds, checkpoint=checkpoint, **options)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t, m: m.clear(), "no checkpoint of a run, or a damaged one"),
        (lambda t, m: m.update(run="[]"), "no checkpoint of a run, or a damaged one"),
        (lambda t, m: m.update(run="{"), "run.ckpt: "),
        (lambda t, m: t.pop("net/fc2.bias"), "layer fc2: .*bias"),
        (lambda t, m: t.pop("optimizer/steps"), "damaged one .*steps"),
        (lambda t, m: t.pop("procedure0/memory"), "damaged one .*memory"),
    ],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage, message):
    checkpoint, ds = finished(tmp_path)
    tensors, metadata = container.read(checkpoint.path)
    damage(tensors, metadata)
    container.write(checkpoint.path, tensors, metadata)
    net, _ = killable.build()
    with pytest.raises(ValueError, match=message):
        killable.train(net, ds, checkpoint)


def test_other_threads_are_warned_of(tmp_path, monkeypatch):
    checkpoint, ds = finished(tmp_path)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "63")
    net, _ = killable.build()
    with pytest.warns(UserWarning, match="the last bits may differ"):
        killable.train(net, ds, checkpoint)


def sparse_net():
    rng = np.random.default_rng(2)
    dense = nn.Linear(6, 10)
    dense.reset(rng)
    dense.set_mask("weight", rng.random((10, 6)) < 0.4)
    layers = {"in": SparseLinear.from_dense(dense), "fc2": nn.Linear(10, 3)}
    return nn.Network(nn.Sequential(layers), (6,))


def test_sparse_weights_resume_sparse(tmp_path):
    checkpoint, ds = nn.Checkpoint(tmp_path / "run.ckpt", every=2), killable.build()[1]
    straight = sparse_net()
    killable.train(straight, ds, None)
    with pytest.raises(Stops):
        killable.train(sparse_net(), ds, checkpoint, Wanders(13))
    net = sparse_net()
    killable.train(net, ds, checkpoint)
    values = net.layers()["in"].params["weight"]
    assert values.ndim == 1
    assert_array_equal(values, straight.layers()["in"].params["weight"])


class Worsens(nn.Procedure):
    """Spoils every epoch but the first, so that the first is the best."""

    def end_epoch(self, run):
        if run.epoch:
            run.net.parameters()["fc2.bias"][:] += np.array([50, 0, 0], np.float32)


def test_the_best_weights_survive_a_stop(tmp_path):
    def train(checkpoint, wanders):
        net, ds = killable.build()
        nn.train(
            net,
            ds,
            epochs=killable.EPOCHS,
            batch_size=killable.BATCH,
            procedures=[Worsens(), wanders],
            best=True,
            checkpoint=checkpoint,
        )
        return net

    straight = train(None, killable.Wanders())
    checkpoint = nn.Checkpoint(tmp_path / "run.ckpt", every=2)
    with pytest.raises(Stops):
        train(checkpoint, Wanders(20))
    resumed = train(checkpoint, killable.Wanders())
    for name, array in straight.state().items():
        assert_array_equal(resumed.state()[name], array)
    assert np.abs(straight.parameters()["fc2.bias"]).max() < 10
