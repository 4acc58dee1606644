"""A toolkit in another process: what it answers, and what it cannot do to us."""

import ast
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.cli import main
from minprune.conformance import Isolated, chosen, run, worker
from minprune.conformance.registry import Broken
from tests.conformance import misbehaving, mutants

HERE = "tests.conformance.misbehaving"
CLAUSE = "a_sparsity_that_is_no_share_is_refused"


def ask(name, *only, timeout=60.0):
    with Isolated(f"{HERE}:{name}", sys.executable, timeout=timeout) as toolkit:
        return run(toolkit, only=only or [CLAUSE, "it_ends_at_final"])


def names(clause):
    return [check.name for check in chosen(clause=clause)]


def statuses(report):
    return [finding.status for finding in report.findings]


# What comes back is what the adapter says.

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.tuples(inside, inside)
        | st.dictionaries(st.text(max_size=3), inside, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_a_frame_brings_back_what_was_sent(value):
    pipe = io.BytesIO()
    worker.write(pipe, {"answer": value})
    pipe.seek(0)
    message, data = worker.read(pipe)
    assert worker.decode(message["answer"], data) == value
    assert worker.read(pipe) is None


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "f2", "f4", "f8", ">f8"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (2, 1, 3)])
def test_arrays_keep_their_bits_type_shape_and_order(dtype, shape):
    sent = np.ones(shape, dtype)
    for array in (sent, np.asfortranarray(sent)):
        chunks = []
        place = worker.encode({"w": [array, array]}, chunks)
        got = worker.decode(json.loads(json.dumps(place)), b"".join(chunks))["w"][1]
        assert got.dtype == array.dtype
        assert got.flags.f_contiguous == array.flags.f_contiguous
        np.testing.assert_array_equal(got, array)


def test_a_toolkit_gives_the_same_report_over_there_as_here():
    name, clauses = "tests.conformance.mutants:TiesFallTogether", ("M.2", "R.1", "S.3")
    only = [check for clause in clauses for check in names(clause)]
    with Isolated(name, sys.executable) as toolkit:
        there = run(toolkit, only=only)
    here = run(mutants.TiesFallTogether(), only=only)
    assert there.findings == here.findings
    assert (there.toolkit, there.version) == (here.toolkit, here.version)
    assert "NumPy" in there.environment


def test_printing_does_not_disturb_the_answers():
    assert ask("Noisy").findings == ask("Polite").findings
    assert statuses(ask("Reads")) == statuses(ask("Polite"))


def test_a_change_in_place_over_there_is_seen_here():
    assert statuses(ask("Polite", "scores_are_left_alone")) == ["passed"]
    assert statuses(ask("Changes", "scores_are_left_alone")) == ["failed"]


OWN = """
import importlib.util, sys
from minprune.conformance import Toolkit, Unsupported

class Adapter(Toolkit):
    name = "own"

    def begin(self):
        for absent in ("scipy", "numba", "hypothesis"):
            assert importlib.util.find_spec(absent) is None
        self.ours = sorted(name for name in sys.modules if name.startswith("minprune"))

    def schedule(self, *frame):
        raise Unsupported(" ".join(self.ours))
"""


def test_a_worker_needs_numpy_beside_the_toolkit_and_nothing_else(
    tmp_path, monkeypatch
):
    """An interpreter without minprune, SciPy and Numba, in a folder of its own."""
    installed = Path(np.__file__).parent.parent
    (tmp_path / "only").mkdir()
    for part in installed.glob("numpy*"):
        (tmp_path / "only" / part.name).symlink_to(part)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "only"))
    with Isolated("own:Adapter", str(python)) as toolkit:
        (finding,) = run(toolkit, only=["it_ends_at_final"]).findings
    assert finding.status == "unsupported"
    assert finding.message.split() == [
        "minprune",
        "minprune.conformance",
        "minprune.conformance.adapter",
    ]


# What goes wrong over there is a finding here.


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "Exits",
            "exit status 3 during mask; its last words:\nthe license has expired",
        ),
        ("Crashes", "ended by signal 11 during mask"),
        ("Rubbish", "rubbish: a frame begins with b'rubb'"),
    ],
)
def test_a_worker_that_fails_is_broken_and_the_next_check_has_a_new_one(name, says):
    report = ask(name)
    assert statuses(report) == ["broken", "unsupported"]
    assert says in report.findings[0].message
    assert not report.ok


def test_a_worker_that_hangs_is_ended_in_time():
    start = time.monotonic()
    report = ask("Hangs", timeout=0.5)
    assert statuses(report) == ["broken", "unsupported"]
    assert "no answer to mask" in report.findings[0].message
    assert time.monotonic() - start < 30  # seconds; it would have slept for sixty


@pytest.mark.parametrize(
    ("name", "says"),
    [("Quits", "SystemExit: I give up"), ("Objects", "array of object cannot be sent")],
)
def test_an_answer_that_cannot_be_used_is_broken(name, says):
    report = ask(name, "scores_are_left_alone")
    assert statuses(report) == ["broken"]
    assert says in report.findings[0].message


def test_a_worker_that_never_starts_is_broken_throughout_and_is_tried_once():
    report = ask("DiesAtBirth")
    assert statuses(report) == ["broken", "broken"]
    assert "exit status 9 during its start" in report.findings[0].message


def test_what_cannot_be_made_is_an_unusable_argument(capsys):
    with pytest.raises(ValueError, match="ImportError: libfoo"):
        Isolated(f"{HERE}:NeverMade", sys.executable)
    with pytest.raises(ValueError, match="does not start"):
        Isolated(f"{HERE}:Polite", "/nowhere/python")
    words = ["conformance", "minprune", "--python", sys.executable, "--timeout", "0"]
    assert main(words) == 2
    assert "seconds above 0" in capsys.readouterr().err


def test_the_command_runs_an_adapter_elsewhere(capsys):
    name = "tests.conformance.mutants:Correct"
    words = ["conformance", name, "--python", sys.executable, "--clause", "P.6"]
    assert main(words) == 0
    assert "Correct 0 (Python" in capsys.readouterr().out


# Frames that were not written by `write`.


def frame(message, arrays=b"", magic=b"MPC1"):
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return io.BytesIO(worker.HEADER.pack(magic, len(text), len(arrays)) + text + arrays)


@pytest.mark.parametrize(
    ("pipe", "says"),
    [
        (io.BytesIO(b"MPC1"), "ended after 4 bytes"),
        (frame({}, magic=b"HTTP"), "begins with b'HTTP'"),
        (frame([]), "not a JSON object"),
        (frame(b"{"), "Expecting"),
        (frame(b"\xff\xfe"), "codec"),
        (frame(b"[" * 100_000), "nested too deeply"),
        (io.BytesIO(worker.HEADER.pack(b"MPC1", 9, 1 << 40)), "beyond the limit"),
        (io.BytesIO(worker.HEADER.pack(b"MPC1", 9, 0) + b"{}"), "2 of 9 bytes"),
    ],
)
def test_a_frame_that_is_none_is_refused(pipe, says):
    with pytest.raises(ValueError, match=says):
        worker.read(pipe)


def npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("value", "data", "says"),
    [
        ([1], b"", "neither plain"),
        ({"pickle": 1}, b"", "no kind of value"),
        ({"list": 3}, b"", "malformed"),
        ({"map": [[{"list": []}, 1]]}, b"", "malformed"),
        ({"array": [0, 10]}, b"", "outside its frame"),
        ({"array": [0, 4]}, b"abcd", "magic|Expected"),
        (
            {"array": [0, 128]},
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
            "cannot have 0 bytes",
        ),
        (
            {"array": [0, 128]},
            npy("{'descr': '|O', 'fortran_order': False, 'shape': (0,)}"),
            "cannot have",
        ),
    ],
)
def test_a_value_that_was_never_encoded_is_refused(value, data, says):
    with pytest.raises(ValueError, match=says):
        worker.decode(value, data)


def test_the_worker_is_written_for_old_interpreters():
    """Python 3.7: what runs beside the toolkit parses under that grammar."""
    for name in ("worker.py", "adapter.py"):
        text = Path(worker.__file__).with_name(name).read_text()
        ast.parse(text, feature_version=(3, 7))


def test_a_check_without_a_worker_says_so():
    toolkit = Isolated(f"{HERE}:Polite", sys.executable)
    toolkit.close()
    with pytest.raises(Broken, match="was ended before mask"):
        toolkit.mask({}, 0.5, "layer")
    assert misbehaving.Polite().name == "polite"
