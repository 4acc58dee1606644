"""The same answers on any machine: threads, interpreter, processors, and no Numba."""

import hashlib
import os
import subprocess
import sys
import textwrap

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune.nn import Conv2d, Linear
from minprune.sparse.kernels import _jit, layout, strips
from minprune.sparse.kernels.linear import LinearProducts, frame
from tests.sparse.layers import case, multipliers

THOROUGH = os.environ.get("MINPRUNE_PROFILE") == "thorough"


def fresh(*command, **environment):
    """What a fresh interpreter prints; its own output is the message if it fails."""
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def suite(*arguments, **environment):
    """Run the tests of this room again, elsewhere."""
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return fresh(*command, **{"MINPRUNE_PROFILE": "default"} | environment)


def test_importing_the_room_imports_no_compiler():
    found = fresh("-c", "import sys, minprune.sparse; print('numba' in sys.modules)")
    assert found.strip() == "False"


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(_jit, "PAYS", 0)
    before = numba.get_num_threads()
    for drawn in (
        case(Linear(40, 9), (40, 140)),
        case(Linear(8, 16), (8, 20), in_blocks=(4, 1)),
        case(Conv2d(3, 7, 3, stride=2), (3, 9, 9, 33)),
    ):
        found = []
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            product, values = multipliers(drawn.sparse)["strips"], drawn.sparse.params
            y = product.forward(values["weight"], values["bias"], drawn.x)
            both = product.backward(values["weight"], drawn.x, drawn.dy)
            g = product.weight_gradient(drawn.x, drawn.dy)
            found.append([a.tobytes() for a in (y, *both, g)])
        assert found[0] == found[-1]
    numba.set_num_threads(before)


def test_ranges_of_rows_make_up_the_whole():
    """However rows are shared out, even one by one, the bits are the same."""
    drawn = case(Linear(50, 12), (50, 16))
    rows = LinearProducts(drawn.sparse.pattern).rows.narrow
    values, start = drawn.sparse.params["weight"], drawn.sparse.params["bias"]
    x, where = np.ascontiguousarray(drawn.x).reshape(-1), frame(rows, 16, 16, 16)

    def run(ranges):
        y = np.full(12 * 16, np.nan, np.float32)
        for span in ranges:
            operands = strips.Product(0, 0, 0, 0, 0, 0, where, *span)
            given = (rows, values, x, y, start)
            layout.run_rows(strips.product, operands, *given)
        return y

    whole = run([(0, 12)])
    assert_array_equal(run([(i, i + 1) for i in reversed(range(12))]), whole)
    assert_array_equal(run([(7, 12), (0, 3), (3, 7)]), whole)


def digest():
    """The bits that the defining loops give; no sum in them is fused or reordered."""
    found = hashlib.sha256()
    for drawn in (
        case(Linear(9, 7), (9, 5)),
        case(Linear(9, 7), (9, 5), in_blocks=(2, 3)),
        case(Conv2d(2, 3, 3, stride=2, padding=1), (2, 5, 4, 3)),
    ):
        loops = multipliers(drawn.sparse)["loops"]
        values = drawn.sparse.params["weight"]
        found.update(loops.forward(values, None, drawn.x).tobytes())
        for made in loops.backward(values, drawn.x, drawn.dy):
            found.update(made.tobytes())
    return found.hexdigest()


def test_the_compiled_loops_are_the_loops_that_are_read():
    code = "from tests.sparse.test_environments import digest; print(digest())"
    assert fresh("-c", code, NUMBA_DISABLE_JIT="1").strip() == digest()


def test_the_suite_passes_as_plain_python():
    """The interpreted strips check every access, so nothing reaches beyond an array."""
    chosen = "strips and 17 or blocks_of_one_column and 17 or strips and 1-"
    out = suite("tests/sparse/test_products.py", "-k", chosen, NUMBA_DISABLE_JIT="1")
    assert "passed" in out


@pytest.mark.skipif(not THOROUGH, reason="compiles every kernel once more")
def test_the_suite_passes_with_checked_bounds(tmp_path):
    files = ("tests/sparse/test_products.py", "tests/sparse/test_plan.py")
    out = suite(*files, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert "passed" in out


@pytest.mark.skipif(not THOROUGH, reason="compiles every kernel once more")
@pytest.mark.parametrize(
    ("name", "features"), [("haswell", "+avx,+avx2,+fma"), ("x86-64", "")]
)
def test_the_suite_passes_on_older_processors(name, features, tmp_path):
    files = ("tests/sparse/test_products.py", "tests/sparse/test_plan.py")
    out = suite(
        *files,
        NUMBA_CPU_NAME=name,
        NUMBA_CPU_FEATURES=features,
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert "passed" in out


def test_without_numba_the_answers_are_the_same(tmp_path):
    """Products by scipy instead; it is said once, and rounds no worse."""
    code = """
        import sys, warnings
        sys.modules["numba"] = None
        import numpy as np
        from minprune import nn, sparse
        from tests.sparse.layers_without_numba import networks
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            answers = [net(x) for net, x in networks()]
        assert len(said) == 1 and "pip install numba" in str(said[0].message), said
        np.savez(sys.argv[1], *answers)
        try:
            sparse.compile(next(networks())[0])
        except ValueError as why:
            assert "needs numba" in str(why)
    """
    from tests.sparse.layers_without_numba import networks

    path = tmp_path / "answers.npz"
    fresh("-c", textwrap.dedent(code), str(path))
    with np.load(path, allow_pickle=False) as answers:
        for (net, x), answer in zip(networks(), answers.values(), strict=True):
            # float32, sums of at most 60 products of magnitude near one
            np.testing.assert_allclose(net(x), answer, rtol=1e-5, atol=1e-5)


def test_without_a_place_for_a_cache_kernels_are_compiled_all_the_same(monkeypatch):
    given = numba.njit

    def njit(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return given(**options)

    monkeypatch.setattr(_jit.numba, "njit", njit)

    @_jit.kernel
    def twice(x: float) -> float:
        return 2 * x

    assert twice(3.0) == 6.0
