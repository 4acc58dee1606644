"""Who else multiplies: each peer takes arrays and gives a call, or says it is missing.

numpy and scipy are always there. The others are raced when they can be imported;
MISSING says how to get them.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

MISSING = {
    "torch": "pip install torch==2.13.0",
    "onnxruntime": "pip install onnx onnxruntime",
    "mkl": "pip install mkl",
    "deepsparse": "in a Python 3.11 of its own, named by --deepsparse: "
    "pip install deepsparse==1.8.0",
}

Call = Callable[[], Any]


def install_lines(deepsparse: str = "") -> list[str]:
    """How to get what is not there."""
    there = {"mkl": _mkl_path() is not None, "deepsparse": deepsparse != ""}
    return [
        f"{name} is not installed: {line}"
        for name, line in MISSING.items()
        if not there.get(name, find_spec(name) is not None)
    ]


def torch() -> Any:
    """PyTorch on as many threads as the environment says, or None."""
    if find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return torch


def dense(weight: np.ndarray, x: np.ndarray) -> dict[str, Call]:
    """Dense products ``weight @ x``; samples are columns, in memory rows or columns.

    Answers lie in memory as the samples do; both orders are alike to BLAS.
    """
    out = np.empty_like(x, shape=(len(weight), x.shape[1]))
    calls: dict[str, Call] = {"numpy": lambda: np.matmul(weight, x, out=out)}
    if (t := torch()) is not None:
        w, columns, made = map(t.from_numpy, (weight, x, out.copy("K")))
        calls["torch"] = lambda: t.mm(w, columns, out=made)
    return calls


def sparse(matrix: Any, x: np.ndarray) -> dict[str, Call]:
    """Products of a scipy `csr_array`, by whoever is there; memory as for `dense`.

    All of them want samples that are columns in memory too. Others are turned, and the
    answer back: by scipy and torch themselves, and for MKL by NumPy, which is faster
    than what MKL has for it and than its product in column-major order.
    """
    turned = not x.flags.c_contiguous
    calls: dict[str, Call] = {
        "scipy csr": (lambda: (matrix @ x).T.copy().T) if turned else lambda: matrix @ x
    }
    if (t := torch()) is not None:
        parts = (matrix.indptr, matrix.indices, matrix.data)
        w = t.sparse_csr_tensor(*map(t.from_numpy, parts), size=matrix.shape)
        columns = t.from_numpy(x)
        calls["torch csr"] = (
            (lambda: (w @ columns).T.contiguous().T) if turned else lambda: w @ columns
        )
    if _mkl_path() is not None:
        given = np.ascontiguousarray(x)
        multiply = inspector_executor(matrix, given)

        def turning() -> np.ndarray:
            given[...] = x
            return multiply().T.copy().T

        calls["mkl inspector-executor"] = turning if turned else multiply
    return calls


@cache
def _mkl_path() -> Path | None:
    """Where pip put MKL's library."""
    found = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
    return found[0] if found else None


class _Description(ctypes.Structure):
    """`matrix_descr` of MKL: general, the rest unused."""

    _fields_ = (("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int))


def inspector_executor(matrix: Any, x: np.ndarray) -> Call:
    """MKL's sparse product with hints and optimization, by ctypes.

    Values 10, 20, 101 and 1000 are SPARSE_OPERATION_NON_TRANSPOSE,
    SPARSE_MATRIX_TYPE_GENERAL, SPARSE_LAYOUT_ROW_MAJOR and the expected number of
    calls.
    """
    path = _mkl_path()
    assert path is not None, "the caller asked before"
    lib = ctypes.CDLL(str(path))
    lib.MKL_Set_Num_Threads(1)
    (rows, columns), batch = matrix.shape, x.shape[1]
    indptr, indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    data, out = matrix.data.astype(np.float32), np.empty((rows, batch), np.float32)

    def place(array: np.ndarray, skip: int = 0) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data + skip)

    def checked(status: int) -> None:
        if status:
            raise RuntimeError(f"mkl_sparse returned {status}")

    handle, kind = ctypes.c_void_p(), _Description(20, 0, 0)
    checked(
        lib.mkl_sparse_s_create_csr(
            ctypes.byref(handle),
            0,
            rows,
            columns,
            place(indptr),
            place(indptr, 4),
            place(indices),
            place(data),
        )
    )
    if batch > 1:
        lib.mkl_sparse_set_mm_hint(handle, 10, kind, 101, batch, 1000)
    else:
        lib.mkl_sparse_set_mv_hint(handle, 10, kind, 1000)
    checked(lib.mkl_sparse_optimize(handle))
    one, none = ctypes.c_float(1), ctypes.c_float(0)
    seen, made = place(x), place(out)
    kept = (indptr, indices, data, x)
    if batch > 1:
        product = lib.mkl_sparse_s_mm
        given = (10, one, handle, kind, 101, seen, batch, batch, none, made, batch)
    else:
        product = lib.mkl_sparse_s_mv
        given = (10, one, handle, kind, seen, none, made)

    def call() -> np.ndarray:
        product(*given)
        assert kept, "MKL reads these arrays where they lie"
        return out

    return call


def onnx_session(model: bytes, x: np.ndarray) -> Call | None:
    """Onnxruntime on one thread, input and output bound beforehand, or None."""
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, x)
    binding.bind_output(session.get_outputs()[0].name)

    def call() -> np.ndarray:
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]

    return call


ELSEWHERE = """
import sys, time
import numpy as np
from deepsparse import Engine

model, given, seconds = sys.argv[1], np.load(sys.argv[2]), float(sys.argv[3])
engine = Engine(model=model, batch_size=len(given), num_cores=1)
times, stop = [], time.perf_counter() + 2 * seconds
while time.perf_counter() < stop or len(times) < 20:
    start = time.perf_counter()
    engine.run([given], val_inp=False)
    times.append(time.perf_counter() - start)
print("microseconds", 1e6 * float(np.percentile(times[len(times) // 2 :], 10)))
"""
"""What runs in DeepSparse's own environment: it wants older packages than ours."""


def deepsparse(python: str, model: bytes, x: np.ndarray, seconds: float) -> float:
    """Microseconds of a call of DeepSparse's engine, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.onnx").write_bytes(model)
        np.save(Path(folder, "x.npy"), x)
        files = [str(Path(folder, name)) for name in ("model.onnx", "x.npy")]
        command = [python, "-c", ELSEWHERE, *files, str(seconds)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.rpartition("microseconds")[2])
