"""Downloads over a real socket from a server that cuts, corrupts, stalls, redirects."""

import hashlib
import threading

import numpy as np
import pytest

from minprune.data.download import fetch
from minprune.data.known import KnownFile
from tests.data.server import cut, good, no_resume, redirect, serve, stall, status

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = KnownFile(
    "archive", "file.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)
BAD = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file.gz"


def names(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_good_file_arrives_and_nothing_else_is_left(target):
    with serve(good(CONTENT)) as server:
        assert fetch([server.url], target, FILE) == target
    assert target.read_bytes() == CONTENT
    assert names(target) == ["file.gz"]
    assert server.log == [None]


@pytest.mark.parametrize("honest", [True, False])
def test_a_cut_transfer_goes_on_where_it_ended(target, honest):
    with serve(cut(CONTENT, 100_000, honest), good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log == [None, "bytes=100000-"]


def test_a_server_that_cannot_resume_begins_again(target):
    with serve(cut(CONTENT, 100_000), no_resume(CONTENT)) as server:
        fetch([server.url], target, FILE, attempts=2)
    assert target.read_bytes() == CONTENT


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(target):
    with serve(cut(CONTENT, 70_000), status(503)) as server:
        with pytest.raises(
            ConnectionError,
            match=r"file.gz was not downloaded: .* answered 503 .*70000 bytes are kept",
        ):
            fetch([server.url], target, FILE, attempts=2)
        assert names(target) == ["file.gz.part"]
        server.plans = [good(CONTENT)]
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log[-1] == "bytes=70000-"


def test_corrupt_bytes_never_get_the_name(target):
    target.write_bytes(b"an older file")
    with (
        serve(no_resume(BAD)) as server,
        pytest.raises(
            ConnectionError,
            match=r"sent other bytes than published \(checksum differs\)$",
        ),
    ):
        fetch([server.url], target, FILE, attempts=3)
    assert len(server.log) == 3
    assert target.read_bytes() == b"an older file"
    assert names(target) == ["file.gz"]


def test_a_corrupt_part_is_thrown_away_and_fetched_anew(target):
    target.with_name("file.gz.part").write_bytes(b"x" * 1000)
    with serve(good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log == ["bytes=1000-", None]


def test_a_complete_part_needs_no_server(target):
    target.with_name("file.gz.part").write_bytes(CONTENT)
    assert fetch(["http://127.0.0.1:9/file.gz"], target, FILE).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(target):
    target.with_name("file.gz.part").write_bytes(CONTENT + b"x")
    with serve(good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log == [None]


def test_an_endless_answer_is_cut_off_at_the_published_size(target):
    with (
        serve(no_resume(CONTENT * 3)) as server,
        pytest.raises(
            ConnectionError, match=r"sends more than the 300000 bytes published$"
        ),
    ):
        fetch([server.url], target, FILE, attempts=1)
    assert names(target) == []


def test_a_stalled_transfer_is_given_up_and_resumed(target):
    done = threading.Event()
    with serve(stall(CONTENT, 90_000, done), good(CONTENT)) as server:
        fetch([server.url], target, FILE, timeout=0.2)
        done.set()
    assert target.read_bytes() == CONTENT
    assert server.log == [None, "bytes=90000-"]


def test_a_stall_without_end_says_how_far_it_came(target):
    done = threading.Event()
    with serve(stall(CONTENT, 90_000, done)) as server:
        with pytest.raises(
            ConnectionError, match=r"stopped after 90000 of 300000 bytes \(timed out\)"
        ):
            fetch([server.url], target, FILE, timeout=0.2, attempts=1)
        done.set()


def test_redirects_are_followed_but_not_in_a_circle(target):
    with serve(redirect("/elsewhere"), good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    target.unlink()
    with (
        serve(redirect("/file.gz")) as server,
        pytest.raises(
            ConnectionError, match=r"answered 302 \(The HTTP server returned a redirect"
        ) as error,
    ):
        fetch([server.url], target, FILE, attempts=1)
    assert "\n" not in str(error.value)


def test_a_redirect_to_a_local_file_is_not_followed(target, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    with (
        serve(redirect(secret.as_uri())) as server,
        pytest.raises(ConnectionError, match=r"answered 302"),
    ):
        fetch([server.url], target, FILE, attempts=1)
    with pytest.raises(ConnectionError, match=r"is not an http address"):
        fetch([secret.as_uri()], target, FILE)
    assert not target.exists()


def test_the_next_mirror_is_tried_and_goes_on_with_what_is_there(target):
    with serve(cut(CONTENT, 50_000), status(404)) as one, serve(good(CONTENT)) as two:
        fetch([one.url, two.url], target, FILE, attempts=2)
    assert target.read_bytes() == CONTENT
    assert two.log == ["bytes=50000-"]


def test_a_resume_at_another_place_is_not_believed(target):
    def elsewhere(handler):
        handler.send(206, CONTENT[5:], Content_Range="bytes 5-299999/300000")

    with serve(cut(CONTENT, 9), elsewhere, good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log == [None, "bytes=9-", "bytes=9-"]


def test_a_part_that_the_server_has_no_end_for_is_thrown_away(target):
    target.with_name("file.gz.part").write_bytes(CONTENT[:9])
    with serve(status(416), good(CONTENT)) as server:
        fetch([server.url], target, FILE)
    assert target.read_bytes() == CONTENT
    assert server.log == ["bytes=9-", None]


def test_every_address_is_named_when_none_answers(target):
    with serve(status(404)) as server:
        closed = "http://127.0.0.1:9/file.gz"
        with pytest.raises(
            ConnectionError,
            match=rf"{closed} cannot be reached \(.*refused.*{server.url} answered 404",
        ):
            fetch([closed, server.url], target, FILE, attempts=1)


def test_a_folder_that_is_not_there_is_an_error_of_the_file_system(tmp_path):
    with (
        serve(good(CONTENT)) as server,
        pytest.raises(
            FileNotFoundError, match=r"file.gz was not written: there is no such file"
        ),
    ):
        fetch([server.url], tmp_path / "none" / "file.gz", FILE)
