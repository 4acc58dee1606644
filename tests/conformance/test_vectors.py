"""Test vectors: the same bytes again, answered by the engine, readable from C."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from minprune import masks
from minprune.cli import main
from minprune.conformance import definition, vectors
from minprune.conformance.toolkits.minprune import Adapter
from minprune.criteria import CATALOG

DIGEST = "e3146577d51fd3be68bfde0ea5542c21712b1dcfcb811eea3272bf3ba5a95071"
"""Of index.json and arrays.bin for seed 0; a change of it is a change of the set."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "set"
    vectors.write(path)
    return path


@pytest.fixture(scope="module")
def index(folder):
    return json.loads((folder / "index.json").read_text())


def digest(folder):
    found = hashlib.sha256()
    for name in ("index.json", "arrays.bin"):
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def of_kind(index, kind):
    found = [vector for vector in index["vectors"] if vector["kind"] == kind]
    assert found
    return found


def loaded(folder, value):
    """Places replaced by their arrays, at any depth."""
    if isinstance(value, dict) and value.keys() == {"type", "shape", "offset"}:
        found = vectors.read(folder, value)
        return found == 1 if value["type"] == "uint8" else found
    if isinstance(value, dict):
        return {key: loaded(folder, entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [loaded(folder, entry) for entry in value]
    return value


def test_the_set_is_the_same_bytes_again(folder, tmp_path):
    vectors.write(tmp_path / "again")
    assert digest(tmp_path / "again") == digest(folder) == DIGEST
    vectors.write(tmp_path / "other", seed=1)
    assert digest(tmp_path / "other") != DIGEST


def test_every_kind_and_field_is_described(folder, index):
    text = (folder / "README.md").read_text()
    assert {vector["kind"] for vector in index["vectors"]} == set(vectors.KINDS)
    for vector in index["vectors"]:
        for name in (vector["kind"], *vector["given"], *vector):
            assert f"`{name}`" in text or name in ("evidence", "id"), name
        assert vector["tolerance_because"]


def test_the_engine_gives_the_selections(folder, index):
    for vector in of_kind(index, "select"):
        case = loaded(folder, vector)
        got = masks.select(case["given"]["scores"], sparsity=case["given"]["sparsity"])
        np.testing.assert_array_equal(got, case["mask"])
    for vector in of_kind(index, "select_network"):
        case = loaded(folder, vector)
        given = case["given"]
        named = {str(i): score for i, score in enumerate(given["scores"])}
        got = masks.select(
            named,
            sparsity=given["sparsity"],
            scope="network",
            min_keep=given["min_keep"],
        )
        for mask, want in zip(got.values(), case["masks"], strict=True):
            np.testing.assert_array_equal(mask, want)


def test_the_engine_gives_the_patterns(folder, index):
    for vector in of_kind(index, "keep_of_group"):
        case = loaded(folder, vector)
        got = Adapter().keep_of_group(**case["given"])
        np.testing.assert_array_equal(got, case["mask"])
    for vector in of_kind(index, "select_units"):
        case = loaded(folder, vector)
        given = case["given"]
        block = given["block"] and tuple(given["block"])
        got = Adapter().unit_mask(
            given["scores"], given["unit"], given["sparsity"], block
        )
        np.testing.assert_array_equal(got, case["mask"])


def test_the_engine_gives_the_schedules_and_allocations(index):
    for vector in of_kind(index, "schedule"):
        given = dict(vector["given"])
        curve, steps = given.pop("curve"), given.pop("steps")
        got = [Adapter().schedule(curve, step, **given) for step in range(steps)]
        assert got == pytest.approx(vector["sparsities"], abs=vector["tolerance"])
    for vector in of_kind(index, "allocate"):
        given = vector["given"]
        shapes = {str(i): tuple(shape) for i, shape in enumerate(given["shapes"])}
        got = Adapter().allocate(given["method"], shapes, given["sparsity"])
        assert list(got.values()) == vector["counts"]
        assert sum(vector["counts"]) == vector["total"]


def test_the_engine_gives_the_scores(folder, index):
    for vector in of_kind(index, "score"):
        case = loaded(folder, vector)
        function = CATALOG[case["given"]["criterion"]].function
        got, want = function(**case["given"]["evidence"]), case["score"]
        limit = case["tolerance"] * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=limit)


def test_the_engine_gives_the_products_and_removals_to_the_last_bit(folder, index):
    for vector in of_kind(index, "product"):
        case = loaded(folder, vector)
        w, x, dy = (case["given"][k].astype("f4") for k in ("weight", "x", "dy"))
        mask = case["given"]["mask"]
        np.testing.assert_array_equal(Adapter().forward(w, mask, x), case["y"])
        dweight, dx = Adapter().backward(w, mask, x, dy)
        np.testing.assert_array_equal(dweight, case["dweight"])
        np.testing.assert_array_equal(dx, case["dx"])
    for vector in of_kind(index, "shrink"):
        case = loaded(folder, vector)
        weights = tuple(w.astype("f4") for w in case["given"]["weights"])
        removed = tuple(map(tuple, case["given"]["removed"]))
        small = Adapter().shrink(weights, removed)
        for got, want in zip(small, case["weights_left"], strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_shrunk_network_computes_the_masked_one(folder, index):
    for vector in of_kind(index, "shrink"):
        case = loaded(folder, vector)
        y = case["given"]["x"]
        gone = [*case["given"]["removed"], []]
        for weight, units in zip(case["given"]["weights"], gone, strict=True):
            y = y @ weight.T
            y[:, units] = 0
            y = np.maximum(y, 0) if units else y
        np.testing.assert_array_equal(y, case["y"])


def test_allocations_by_definition_are_in_proportion():
    shapes = {"a": (8, 3, 3, 3), "b": (16, 8, 3, 3), "c": (10, 64)}
    for method in ("uniform", "er", "erk"):
        for sparsity in (0.0, 0.3, 0.9, 1.0):
            counts = definition.allocation(method, shapes, sparsity)
            assert not definition.allocation_is_in_proportion(method, shapes, counts)
            assert counts == Adapter().allocate(method, shapes, sparsity)


def test_a_reader_in_c_agrees_and_notices_a_changed_byte(folder, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path / "check_vectors"
    source = Path(__file__).with_name("check_vectors.c")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([compiler, *strict, source, "-o", program], check=True)
    done = subprocess.run([program, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 100
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    vector = of_kind(json.loads((folder / "index.json").read_text()), "product")[-1]
    data = bytearray((folder / "arrays.bin").read_bytes())
    data[vector["y"]["offset"] + 6] ^= 1
    (changed / "arrays.bin").write_bytes(data)
    done = subprocess.run([program, changed], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"vector {vector['id']} differs" in done.stdout


def test_the_command_writes_a_set_into_a_new_folder(tmp_path, capsys):
    words = ["conformance", "vectors", str(tmp_path / "set")]
    assert main(words) == 0
    assert "vectors written to" in capsys.readouterr().out
    assert main(words) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["conformance", "vectors"]) == 2
    assert main(["conformance", "minprune", str(tmp_path)]) == 2
