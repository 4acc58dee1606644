"""Tables: the convention, windows that do not leak, and errors with row and column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import data
from minprune.data.windows import cut_in_time, runs, windows


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "log.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def table(rows, header="t,ax,label"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def raw(part):
    """Samples as written: `read_csv` keeps them and puts the scale beside."""
    return part.x.astype(int).tolist()


def test_rows_are_samples_and_texts_are_classes(write):
    rows = [(i, 2 * i, "walk" if i % 3 else "idle") for i in range(30)]
    ds = data.load(write(table(rows)))
    assert ds.name == "log"
    assert ds.classes == ("idle", "walk")
    assert ds.input_shape == (2,)
    for part in (ds.train, ds.val, ds.test):
        for (t, ax), y in zip(raw(part), part.y, strict=True):
            assert ax == 2 * t
            assert ds.classes[y] == rows[t][2]
    real = ds.train.x * ds.scale + ds.offset
    assert_allclose(real.mean(axis=0), 0, atol=1e-6)
    assert_allclose(real.std(axis=0), 1, rtol=1e-6)


def test_numbers_as_classes_are_sorted_by_value(write):
    ds = data.read_csv(write(table([(i, 0, (10, 9, 100)[i % 3]) for i in range(30)])))
    assert ds.classes == ("9", "10", "100")


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_marks_and_line_ends_of_other_programs(
    write, separator, encoding, end
):
    text = table([(i % 2, i, -i) for i in range(12)], "label,t,ax")
    text = text.replace(",", separator)
    ds = data.read_csv(write(text.replace("\n", end) + end, encoding))
    assert ds.input_shape == (2,)
    assert len(ds.train) + len(ds.val) + len(ds.test) == 12


def test_a_split_column_is_obeyed(write):
    rows = [(i, 0, i % 2, ("train", "val", "2")[i % 3]) for i in range(12)]
    ds = data.read_csv(write(table(rows, "t,ax,label,split")))
    assert [[t for t, _ in raw(part)] for part in (ds.train, ds.val, ds.test)] == [
        [0, 3, 6, 9],
        [1, 4, 7, 10],
        [2, 5, 8, 11],
    ]


def test_windows_are_channels_by_time_and_cut_in_time(write):
    rows = [(i, -i, "ab"[i // 40]) for i in range(80)]
    ds = data.read_csv(write(table(rows)), window=3, step=2)
    assert ds.input_shape == (2, 3)
    for part, ranges in (
        (ds.train, [(0, 28), (40, 68)]),
        (ds.val, [(28, 34), (68, 74)]),
        (ds.test, [(34, 40), (74, 80)]),
    ):
        want = [t for a, b in ranges for t in range(a, b - 2, 2)]
        assert_array_equal(part.x[:, 0], np.array(want)[:, None] + np.arange(3))
        assert_array_equal(part.x[:, 1], -part.x[:, 0])
        assert part.y.tolist() == [int(t >= 40) for t in want]


def test_windows_stay_within_their_recording_and_split(write):
    rows = [(i, 0, "a", i // 10, ("train", "val", "test")[i // 20]) for i in range(60)]
    ds = data.read_csv(write(table(rows, "t,ax,label,recording,split")), window=4)
    for part, first in ((ds.train, 0), (ds.val, 20), (ds.test, 40)):
        starts = part.x[:, 0, 0].astype(int).tolist()
        assert starts == [first, first + 4, first + 10, first + 14]


def test_regression_predicts_the_target_of_the_last_row(write):
    path = write(table([(i, i, i / 2) for i in range(60)]))
    ds = data.read_csv(path, window=5, task="regression")
    assert_allclose(ds.train.y[:, 0], ds.train.x[:, 0, -1] / 2)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 5))
def test_windows_hold_one_key_and_none_is_forgotten(keys, window):
    keys = np.array(keys)
    rows = windows(runs([keys], len(keys)), window, 1)
    fits = [
        i
        for i in range(len(keys) - window + 1)
        if len(set(keys[i : i + window].tolist())) == 1
    ]
    assert rows[:, 0].tolist() == fits
    assert rows.shape == (len(fits), window)


@given(st.integers(1, 200))
def test_a_run_is_cut_into_past_present_and_future(n):
    split = cut_in_time([slice(0, n)], n)
    assert (np.diff(split) >= 0).all()
    held = n * 15 // 100
    assert np.bincount(split, minlength=3).tolist() == [n - 2 * held, held, held]


GOOD = table([(i, i, i % 2) for i in range(20)])

REFUSED = {
    "empty": (b"", {}, r"has no rows below"),
    "header only": ("t,ax,label\n", {}, r"has no rows below"),
    "no header": ("1,2,3\n4,5,6\n", {}, r"the first row holds numbers"),
    "same name": ("a,a,label\n1,2,3\n", {}, r"'a, a, label'; expected a different"),
    "no label": ("a,b\n1,2\n", {}, r"no column 'label'; the columns are a, b;"),
    "no feature": ("label\n1\n", {}, r"no column is left for features"),
    "ragged": ("a,label\n1,2\n3\n", {}, r"row 3 has 1 values; .* names 2 columns"),
    "blank": ("a,label\n1,2\n\n3,4\n", {}, r"row 3 has 0 values"),
    "word": ("a,label\n1,2\nx,2\n", {}, r"row 3, column 'a' holds 'x'; expected"),
    "gap": ("a,label\n,2\n1,2\n", {}, r"row 2, column 'a' holds ''; expected"),
    "nan": ("a,label\n1,2\nnan,2\n", {}, r"row 3, column 'a' holds 'nan'"),
    "huge": ("a,label\n1,2\n1e99,2\n", {}, r"row 3, column 'a' holds '1e99'"),
    "split": ("a,label,split\n1,2,dev\n", {}, r"row 2, column 'split' holds 'dev'"),
    "target": ("a,label\n1,x\n", {"task": "regression"}, r"column 'label' holds 'x'"),
    "binary": (b"a,label\n\xff\xfe\n", {}, r"not a text table"),
    "open quote": (b'a,label\n"' + b"1" * 200_000, {}, r"not a text table"),
    "too large": (GOOD, {"limit": 10}, r"takes 1\d\d bytes; the limit is 10"),
    "window": (GOOD, {"window": 2}, r"no 2 rows in a row belong to one label"),
    "window 0": (GOOD, {"window": 0}, r"window is 0; expected 1"),
    "step 0": (GOOD, {"window": 2, "step": 0}, r"step is 0; expected 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_table_gives_one_line_with_row_and_column(write, case):
    text, options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as error:
        data.read_csv(write(text), **options)
    assert "\n" not in str(error.value)
