"""A file is written whole or not at all: what goes wrong, and what is left then."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from minprune.files import atomic_write
from minprune.files.atomic import write_texts


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bytes_arrive(tmp_path):
    atomic_write(tmp_path / "a", lambda file: [file.write(b"x"), file.write(b"yz")])
    assert listing(tmp_path) == {"a": b"xyz"}


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old, and longer than the new")
    path.chmod(0o640)
    atomic_write(path, lambda file: file.write(b"new"))
    assert listing(tmp_path) == {"a": b"new"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_gets_the_permissions_any_new_file_gets(tmp_path):
    atomic_write(tmp_path / "a", lambda file: file.write(b"new"))
    (tmp_path / "b").write_bytes(b"by hand")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic_write(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("stops", [KeyboardInterrupt, ValueError, MemoryError])
def test_an_exception_in_the_middle_changes_nothing(tmp_path, stops):
    (tmp_path / "a").write_bytes(b"old")

    def fill(file):
        file.write(b"n" * 100_000)
        raise stops

    with pytest.raises(stops):
        atomic_write(tmp_path / "a", fill)
    assert listing(tmp_path) == {"a": b"old"}


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_real_ctrl_c_in_the_middle_changes_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    program = """
        import signal, sys, time
        from minprune.files import atomic_write

        # Shells start jobs in the background with this signal ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def fill(file):
            file.write(b"n" * 100_000)
            print("writing", flush=True)
            time.sleep(60)

        atomic_write(sys.argv[1], fill)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), tmp_path / "a"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout.readline() == b"writing\n"
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=30)
    assert b"KeyboardInterrupt" in error
    assert listing(tmp_path) == {"a": b"old"}


KILLED = """
import os, sys, signal
from minprune.files import atomic_write

def fill(file):
    file.write(b"n" * 100_000)
    file.flush()
    print("writing", flush=True)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()

atomic_write(sys.argv[1], fill)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    for name in ("a", "b"):
        command = [sys.executable, "-c", KILLED, tmp_path / name, "die"]
        assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode < 0
    assert len(listing(tmp_path)) == 2
    atomic_write(tmp_path / "a", lambda file: file.write(b"new"))
    left = set(listing(tmp_path)) - {"a"}
    assert len(left) == 1  # that of b, which is somebody else's
    atomic_write(tmp_path / "b", lambda file: file.write(b"new"))
    assert listing(tmp_path) == {"a": b"new", "b": b"new"}


@pytest.mark.skipif(os.name == "nt", reason="locks as POSIX has them")
def test_what_another_process_is_writing_is_left_to_it(tmp_path):
    command = [sys.executable, "-c", KILLED, tmp_path / "a", "wait"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as child:
        assert child.stdout.readline() == b"writing\n"
        atomic_write(tmp_path / "a", lambda file: file.write(b"mine"))
        assert len(listing(tmp_path)) == 2
        child.communicate(timeout=30)
    assert listing(tmp_path) == {"a": b"n" * 100_000}


@pytest.mark.skipif(os.name == "nt", reason="pipes as POSIX has them")
def test_what_is_no_file_is_not_replaced(tmp_path):
    """A device among them: whoever may write there would lose it."""
    os.mkfifo(tmp_path / "a")
    with pytest.raises(FileExistsError, match="a was not written: there is something"):
        atomic_write(tmp_path / "a", lambda file: file.write(b"new"))
    assert stat.S_ISFIFO((tmp_path / "a").stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def small_files():
    """The size limit of a process: a write that fails halfway, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_file_the_system_will_not_hold_changes_nothing(tmp_path, small_files):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="a was not written: the file would be") as e:
        atomic_write(tmp_path / "a", lambda file: file.write(b"n" * 200_000))
    assert e.value.errno == errno.EFBIG
    assert listing(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize("large", ["a", "b"])
def test_files_that_belong_together_are_all_written_or_none(
    tmp_path, small_files, large
):
    write_texts({tmp_path / name: "old" for name in "ab"})
    texts = {tmp_path / name: "n" * (10**5 if name == large else 9) for name in "ab"}
    with pytest.raises(OSError, match=f"/{large} was not written: the file would be"):
        write_texts(texts)
    assert listing(tmp_path) == {"a": b"old", "b": b"old"}
    write_texts({tmp_path / name: "new" for name in "ab"})
    assert listing(tmp_path) == {"a": b"new", "b": b"new"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command, so no small disk can be made")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_changes_nothing(small_disk):
    (small_disk / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="a was not written: the disk is full") as e:
        atomic_write(small_disk / "a", lambda file: file.write(b"n" * 200_000))
    assert e.value.errno == errno.ENOSPC
    assert listing(small_disk) == {"a": b"old"}


def test_a_folder_that_can_only_be_read_is_named(small_disk):
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    with pytest.raises(OSError, match="a was not written: the file system can only"):
        atomic_write(small_disk / "a", lambda file: file.write(b"new"))
    assert listing(small_disk) == {}


def test_a_folder_without_permission_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("permission bits do not bind root")
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="a was not written: no permission"):
        atomic_write(tmp_path / "a", lambda file: file.write(b"new"))


@pytest.mark.parametrize(
    ("place", "error", "remedy"),
    [
        ("missing/a", FileNotFoundError, "no such file or folder; check the name"),
        ("file/a", NotADirectoryError, "a part of the path is a file"),
        ("folder", IsADirectoryError, "this is a folder; name a file"),
        ("n" * 300, OSError, "the name is too long"),
    ],
)
def test_an_impossible_place_is_named(tmp_path, place, error, remedy):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    path = tmp_path / place
    with pytest.raises(error, match=remedy) as e:
        atomic_write(path, lambda file: file.write(b"new"))
    assert str(e.value).startswith(f"{path} was not written: ")
    assert "\n" not in str(e.value)
    assert {p.name for p in tmp_path.iterdir()} == {"file", "folder"}


def test_the_writer_sees_a_file_in_the_same_folder(tmp_path):
    """Only within one folder is a rename certain to be atomic."""
    seen = []
    atomic_write(tmp_path / "a", lambda file: seen.append(Path(file.name).parent))
    assert seen == [tmp_path.resolve()]
