"""Test vectors: the same bytes again, answered by the engine, readable from C."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import bsr_array, csr_array

from minprune import masks, nn, sparse
from minprune.cli import main
from minprune.conformance import Unsupported, definition, vectors
from minprune.conformance.toolkits.minprune import Adapter
from minprune.criteria import CATALOG

DIGEST = "502bfabff0bb39636c328c2e87bbd2c3f5e7f808b183a2a6419b5dcbc3b9e52c"
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


def by_name(parts):
    return {str(i): part for i, part in enumerate(parts)}


def assert_close(got, want, tolerance):
    assert np.shape(got) == np.shape(want)
    limit = tolerance * np.abs(want).max(initial=0.0)
    assert_allclose(got, want, rtol=0, atol=limit)


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
            assert f"`{name}`" in text or name == "id", name
        assert vector["tolerance_because"]


def test_the_engine_gives_the_selections(folder, index):
    for vector in of_kind(index, "select"):
        case = loaded(folder, vector)
        got = masks.select(case["given"]["scores"], sparsity=case["given"]["sparsity"])
        assert_array_equal(got, case["mask"])
    for vector in of_kind(index, "select_again"):
        case = loaded(folder, vector)
        scores = case["given"].pop("scores")
        assert_array_equal(masks.select(scores, **case["given"]), case["mask"])
    for vector in of_kind(index, "threshold"):
        case = loaded(folder, vector)
        given = case["given"]
        got = getattr(masks, given["rule"])(given["scores"], given["value"])
        assert_array_equal(got, case["mask"])


def test_the_engine_gives_the_selections_over_layers(folder, index):
    for kind in ("select_network", "select_groups"):
        for vector in of_kind(index, kind):
            case = loaded(folder, vector)
            given = case["given"]
            scope = "network"
            if kind == "select_groups":
                groups = given["groups"]
                scope = {f"g{n}": [str(i) for i in g] for n, g in enumerate(groups)}
            got = masks.select(
                by_name(given["scores"]),
                sparsity=given["sparsity"],
                scope=scope,
                min_keep=given["min_keep"],
            )
            for name, mask in got.items():
                assert_array_equal(mask, case["masks"][int(name)])


def test_the_engine_gives_the_patterns(folder, index):
    for vector in of_kind(index, "keep_of_group"):
        case = loaded(folder, vector)
        scores = case["given"].pop("scores")
        got = masks.keep_of_group(scores, **case["given"])
        assert_array_equal(got, case["mask"])
    for vector in of_kind(index, "square"):
        case = loaded(folder, vector)
        rule, scores = (case["given"].pop(key) for key in ("rule", "scores"))
        got = getattr(masks, rule)(scores, **case["given"], remainder="keep")
        assert_array_equal(got, case["mask"])
    for vector in of_kind(index, "select_units"):
        case = loaded(folder, vector)
        given = case["given"]
        unit, shape = given["unit"], given["scores"].shape
        if unit == "block":
            units = masks.units.blocks(shape, given["block"])
        elif unit == "channel":
            units = masks.units.channels(shape, given["groups"])
        else:
            units = masks.UNITS[unit](shape)
        worth = getattr(units, given["reduction"])(given["scores"])
        got = units.expand(masks.select(worth, sparsity=given["sparsity"]))
        assert_array_equal(got, case["mask"])


def test_the_engine_gives_the_schedules(folder, index):
    for vector in of_kind(index, "schedule"):
        given = dict(vector["given"])
        curve, steps = given.pop("curve"), given.pop("steps")
        if curve == "constant":
            del given["initial"]
        got = [float(masks.SCHEDULES[curve](**given)(step)) for step in range(steps)]
        assert got == pytest.approx(vector["sparsities"], abs=vector["tolerance"])
    for vector in of_kind(index, "ladder"):
        given = dict(vector["given"])
        steps = given.pop("steps")
        got = [float(masks.schedule.geometric(**given)(step)) for step in range(steps)]
        assert got == pytest.approx(vector["sparsities"], abs=vector["tolerance"])
    for vector in of_kind(index, "adaptive"):
        given = loaded(folder, vector)["given"]
        looks = zip(given.pop("norms"), given.pop("scores"), strict=True)
        ramp, got = masks.AdaptiveThreshold(**given), []
        for norm, score in looks:
            got.append(ramp.move(norm, score))
            ramp = ramp.after(norm, score)
        assert got == vector["moves"]


def test_the_engine_gives_the_allocations(folder, index):
    for vector in of_kind(index, "allocate"):
        given = vector["given"]
        method = getattr(masks.allocate, given["method"])
        got = method(by_name(map(tuple, given["shapes"])), given["sparsity"])
        assert list(got.values()) == vector["counts"]
        assert sum(vector["counts"]) == vector["total"]
    for vector in of_kind(index, "allocate_by_sensitivity"):
        given = vector["given"]
        shapes = by_name(map(tuple, given["shapes"]))
        numbers = by_name(given["sensitivity"])
        got = masks.allocate.by_sensitivity(shapes, numbers, given["sparsity"])
        assert list(got.values()) == vector["counts"]
    for vector in of_kind(index, "allocate_by_scores"):
        case = loaded(folder, vector)
        given = case["given"]
        takes = ("outlier", "spread") if given["method"] == "owl" else ("min_keep",)
        got = getattr(masks.allocate, given["method"])(
            by_name(given["scores"]),
            given["sparsity"],
            **{name: given[name] for name in takes},
        )
        assert list(got.values()) == vector["counts"]
    for vector in of_kind(index, "allocate_by_cost"):
        given = loaded(folder, vector)["given"]
        got = masks.allocate.by_cost(
            by_name(given["scores"]),
            by_name(given["costs"]),
            budget=given["budget"],
            min_keep=given["min_keep"],
        )
        assert list(got.values()) == vector["counts"]


def test_every_criterion_but_chance_has_vectors(index):
    asked = {v["given"]["criterion"] for v in of_kind(index, "score")}
    solved = {v["given"]["criterion"] for v in of_kind(index, "solve")}
    lots = {card.name for card in CATALOG.values() if card.family == "chance"}
    assert asked | solved == set(CATALOG) - lots
    assert solved == {card.name for card in CATALOG.values() if card.kind == "solver"}


IN_FLOAT64 = 2.0**-16
"""How much of a tolerance for float32 the engine may use: its unit is 2^-29 of that,
and solving systems in another way may cost it 2^13 of its units."""


def test_the_engine_gives_the_scores(folder, index):
    for vector in of_kind(index, "score"):
        case = loaded(folder, vector)
        function = CATALOG[case["given"]["criterion"]].function
        got, want = function(**case["given"]["evidence"]), case["score"]
        assert_close(got, want, max(case["tolerance"] * IN_FLOAT64, 1e-15))
    for vector in of_kind(index, "solve"):
        case = loaded(folder, vector)
        given = case["given"]
        function = CATALOG[given["criterion"]].function
        mask, weight = function(**given["evidence"], **given["options"])
        assert_array_equal(mask, case["mask"])
        assert_close(weight, case["weight"], case["tolerance"] * IN_FLOAT64)


def test_tolerances_are_above_rounding_and_below_what_matters(index):
    for vector in index["vectors"]:
        assert 0 <= vector["tolerance"] < 0.05
    scores = of_kind(index, "score")
    assert np.median([vector["tolerance"] for vector in scores]) < 2e-6


def test_the_engine_gives_the_products_to_the_last_bit(folder, index):
    for vector in of_kind(index, "product"):
        case = loaded(folder, vector)
        w, x, dy = (case["given"][k].astype("f4") for k in ("weight", "x", "dy"))
        mask = case["given"]["mask"]
        assert_array_equal(Adapter().forward(w, mask, x), case["y"])
        dweight, dx = Adapter().backward(w, mask, x, dy)
        assert_array_equal(dweight, case["dweight"])
        assert_array_equal(dx, case["dx"])
    for vector in of_kind(index, "convolve"):
        case = loaded(folder, vector)
        given = case["given"]
        w, x, dy = (given[k].astype("f4") for k in ("weight", "x", "dy"))
        out, into, *kernel = w.shape
        how = {key: given[key] for key in ("stride", "padding", "dilation", "groups")}
        into *= how["groups"]
        dense = nn.Conv2d(into, out, kernel, bias=False, **how)
        dense.params["weight"][...] = w
        dense.set_mask("weight", given["mask"])
        layer = sparse.SparseConv2d.from_dense(dense)
        y = layer.forward(np.ascontiguousarray(np.moveaxis(x, 0, -1)))
        dx = layer.backward(np.ascontiguousarray(np.moveaxis(dy, 0, -1)))
        dweight = np.zeros_like(w)
        dweight[given["mask"]] = layer.grads["weight"]
        assert_array_equal(np.moveaxis(y, -1, 0), case["y"])
        assert_array_equal(np.moveaxis(dx, -1, 0), case["dx"])
        assert_array_equal(dweight, case["dweight"])


def test_stored_forms_of_a_weight_are_those_of_scipy_and_numpy(folder, index):
    for vector in of_kind(index, "product"):
        given = loaded(folder, vector)["given"]
        pruned, blocks = given["weight"] * given["mask"], given["blocks"]
        whole = given["indptr"], given["indices"]
        rows = csr_array((given["values"], whole[1], whole[0]), pruned.shape)
        assert_array_equal(rows.toarray(), pruned)
        high, wide = blocks["block"]
        shape = -(-pruned.shape[0] // high) * high, -(-pruned.shape[1] // wide) * wide
        tiles = bsr_array(
            (blocks["values"], blocks["indices"], blocks["indptr"]), shape
        )
        inside = tiles.toarray()[: pruned.shape[0], : pruned.shape[1]]
        assert_array_equal(inside, pruned)
        packed = np.packbits(given["mask"].ravel(), bitorder="little")
        assert_array_equal(given["bits"], packed)


def test_the_engine_removes_the_units(folder, index):
    for vector in of_kind(index, "shrink"):
        case = loaded(folder, vector)
        weights = tuple(w.astype("f4") for w in case["given"]["weights"])
        removed = tuple(map(tuple, case["given"]["removed"]))
        small = Adapter().shrink(weights, removed)
        for got, want in zip(small, case["weights_left"], strict=True):
            assert_array_equal(got, want)


def test_the_engine_takes_out_what_is_tied_to_the_units(folder, index):
    for vector in of_kind(index, "compact"):
        case = loaded(folder, vector)
        given = case["given"]
        net, x = in_float32(given["network"]), given["x"].astype("f4")
        if given["name"] == "shared":
            with pytest.raises(Unsupported, match="used twice"):
                Adapter().compact(net, x, given["removed"])
            continue
        small = Adapter().compact(net, x, given["removed"])
        assert_same_arrays(small, case["network_left"])
        assert_close(definition.evaluate(small, x), case["y"], 1e-9)


def test_a_compact_network_computes_the_one_whose_units_are_zero(folder, index):
    for vector in of_kind(index, "compact"):
        case = loaded(folder, vector)
        given = case["given"]
        left = definition.evaluate(case["network_left"], given["x"])
        zero = definition.masked(given["network"], given["x"], given["removed"])
        assert_close(left, zero, 1e-12)
        whole = definition.evaluate(given["network"], given["x"])
        assert np.abs(whole - zero).max() > 0.01 * np.abs(zero).max()


def in_float32(part):
    """The network with arrays as toolkits have them."""
    if isinstance(part, dict):
        return {key: in_float32(value) for key, value in part.items()}
    if isinstance(part, list):
        return [in_float32(entry) for entry in part]
    return part.astype("f4") if isinstance(part, np.ndarray) else part


def assert_same_arrays(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if key == "children":
            for pair in zip(value, other[key], strict=True):
                assert_same_arrays(*pair)
        else:
            assert_array_equal(value, other[key])


def test_a_shrunk_network_computes_the_masked_one(folder, index):
    for vector in of_kind(index, "shrink"):
        case = loaded(folder, vector)
        y = case["given"]["x"]
        gone = [*case["given"]["removed"], []]
        for weight, units in zip(case["given"]["weights"], gone, strict=True):
            y = y @ weight.T
            y[:, units] = 0
            y = np.maximum(y, 0) if units else y
        assert_array_equal(y, case["y"])


def test_allocations_by_definition_are_in_proportion():
    shapes = {"a": (8, 3, 3, 3), "b": (16, 8, 3, 3), "c": (10, 64)}
    for method in ("uniform", "er", "erk"):
        for sparsity in (0.0, 0.3, 0.9, 1.0):
            counts = definition.allocation(method, shapes, sparsity)
            assert not definition.allocation_is_in_proportion(method, shapes, counts)
            assert counts == Adapter().allocate(method, shapes, sparsity)


def read_by_c(given):
    """Whether the reader knows this question of a kind that it knows."""
    left_out = {"best_square", "at_quantile", "mean", "l2"}
    named = {given.get("rule"), given.get("reduction")}
    return not named & left_out and given.get("criterion", "snip") == "snip"


def test_a_reader_in_c_agrees_and_notices_a_changed_byte(folder, index, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path / "check_vectors"
    source = Path(__file__).with_name("check_vectors.c")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([compiler, *strict, source, "-o", program, "-lm"], check=True)
    done = subprocess.run([program, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 300
    known = re.findall(r'{"(\w+)", \w+_agree', source.read_text())
    assert len(known) == 9
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    for kind in known:
        asked = [v for v in of_kind(index, kind) if read_by_c(v["given"])]
        vector = asked[-1]
        answer = next(vector[key] for key in ("mask", "y", "score") if key in vector)
        data = bytearray((folder / "arrays.bin").read_bytes())
        data[answer["offset"] + (0 if answer["type"] == "uint8" else 6)] ^= 1
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
