"""minprune export prints what was chosen, and refuses before it writes."""

from pathlib import Path

import pytest


def test_export_writes_both_files_and_says_what_was_chosen(
    run_json, run, dense, tmp_path
):
    for words, dtype in (((), "float32"), (("--data", "digits"), "int8")):
        folder = tmp_path / dtype
        found = run_json("export", dense, "--to", "c", "-o", folder, *words)
        assert found["type"] == dtype
        assert {path.name for path in folder.iterdir()} == {"net.h", "net.c"}
        text = (folder / "net.h").read_text()
        assert f"#define NET_ARENA_BYTES {found['arena_bytes']}U" in text
        offered = found["layers"][0]["offered"]
        fastest = min(offered, key=lambda one: one["instructions"])
        assert found["layers"][0]["encoding"] == fastest["encoding"]
    assert abs(found["float_accuracy"] - found["int8_accuracy"]) < 0.02
    status, out, _ = run("export", dense, "-o", tmp_path, "--objective", "flash")
    assert status == 0
    assert "chosen" in out


def test_four_bits_are_for_flash(run_json, run, dense, tmp_path):
    words = "export", dense, "-o", tmp_path, "--data", "digits", "--bits", "4"
    fast, small = run_json(*words), run_json(*words, "--objective", "flash")
    assert (fast["weight_bits"], small["weight_bits"]) == (8, 4)
    assert small["table_bytes"] < 0.6 * fast["table_bytes"]
    assert small["int8_accuracy"] == fast["int8_accuracy"]
    assert "weights in four bits" in run(*words, "--objective", "flash")[1]


def test_weights_may_have_files_of_their_own(run_json, dense, tmp_path):
    found = run_json("export", dense, "-o", tmp_path, "--weights", "separate")
    names = {"net.h", "net.c", "net_weights.h", "net_weights.c"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert found["weights"] == [str(tmp_path / f"net_weights.{end}") for end in "hc"]


def test_a_truncated_file_leaves_nothing_behind(run, dense, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(Path(dense).read_bytes()[:-100])
    status, _, err = run("export", cut, "-o", tmp_path / "out")
    assert status == 2
    assert "cut.safetensors" in err
    assert not (tmp_path / "out").exists()


def test_a_bad_name_is_refused(run, dense, tmp_path):
    status, _, err = run("export", dense, "-o", tmp_path / "out", "--name", "My-Net")
    assert status == 2
    assert "expected a C identifier" in err
    assert not (tmp_path / "out").exists()


def test_export_writes_onnx_in_both_types(run_json, run, dense, tmp_path):
    for words, dtype in (((), "float32"), (("--data", "digits"), "int8")):
        path = tmp_path / f"{dtype}.onnx"
        found = run_json("export", dense, "--to", "onnx", "-o", path, *words)
        assert found["type"] == dtype
        assert found["bytes"] == path.stat().st_size
    assert abs(found["float_accuracy"] - found["int8_accuracy"]) < 0.02
    status, out, _ = run("export", dense, "--to", "onnx", "-o", tmp_path / "net.onnx")
    assert status == 0
    assert "bytes of float32, zeros included" in out


def test_lengths_that_no_layer_reads_are_refused(run, dense, tmp_path):
    path = tmp_path / "net.onnx"
    status, _, err = run("export", dense, "--to", "onnx", "-o", path, "--lengths")
    assert status == 2
    assert "no layer is recurrent" in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--to onnx --name other", "--name goes with --to c"),
        ("--to onnx --objective flash", "--objective goes with --to c"),
        ("--to onnx --weights separate", "--weights goes with --to c"),
        ("--to safetensors --data digits --name other", "--name goes with --to c"),
        ("--to safetensors --data digits --lengths", "--lengths goes with --to onnx"),
        ("--to c --lengths", "--lengths goes with --to onnx"),
        ("--to c --observe percentile", "--observe says how to quantize"),
        ("--to onnx --by-channel", "--by-channel says how to quantize"),
        ("--to c --bits 8", "--bits says how to quantize"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    run, dense, tmp_path, words, says
):
    status, out, err = run("export", dense, "-o", tmp_path / "out", *words.split())
    assert (status, out) == (2, "")
    assert says in err
    assert "leave it out" in err
    assert not (tmp_path / "out").exists()


def test_a_place_that_is_no_folder_is_refused(run, dense, tmp_path):
    (tmp_path / "taken").write_text("precious")
    for place in ("", tmp_path / "taken", tmp_path / "taken" / "below"):
        status, out, err = run("export", dense, "-o", place)
        assert (status, out) == (2, "")
        assert str(place) in err
        assert err.count("\n") == 1
        assert "Errno" not in err
    assert (tmp_path / "taken").read_text() == "precious"


def test_a_folder_in_the_place_of_a_file_leaves_the_other_files(run, dense, tmp_path):
    (tmp_path / "net.h").write_text("precious")
    (tmp_path / "net.c").mkdir()
    status, _, err = run("export", dense, "-o", tmp_path)
    assert status == 2
    assert "net.c was not written: this is a folder" in err
    assert (tmp_path / "net.h").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2
