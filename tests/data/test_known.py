"""The table of public files: consistent with the formats, and never ambiguous."""

import pytest

from minprune.data.known import CIFAR10, CIFAR100, KNOWN, ROLES, KnownFile

FILES = [(known, file) for known in KNOWN.values() for file in known.files]


def test_no_file_stands_for_two():
    digests = [file.digest for _, file in FILES]
    assert len(set(digests)) == len(digests)
    assert all(
        len(d) in (32, 64) and set(d) <= set("0123456789abcdef") for d in digests
    )


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_plain_files_have_the_size_their_format_implies(name):
    """An IDX header takes 4 bytes and 4 an axis; 28 by 28 pixels; 60,000 and 10,000."""
    sizes = {f.role: f.size for f in KNOWN[name].files if f.name.endswith("-ubyte")}
    assert sizes == {
        "train images": 16 + 60_000 * 28 * 28,
        "train labels": 8 + 60_000,
        "test images": 16 + 10_000 * 28 * 28,
        "test labels": 8 + 10_000,
    }


def test_what_is_downloaded_is_complete_and_packed():
    for known in KNOWN.values():
        roles = ("archive",) if known in (CIFAR10, CIFAR100) else ROLES
        files = known.to_download()
        assert tuple(files) == roles
        assert all(file.name.endswith(".gz") for file in files.values())
        assert all(url.endswith("/") for url in known.mirrors)
        assert len(known.classes) == (100 if known is CIFAR100 else 10)


def test_a_file_is_told_by_its_content_alone(tmp_path):
    # Checksums of b"abc" as printed in RFC 1321 (MD5) and FIPS 180-2 (SHA-256).
    digests = (
        "900150983cd24fb0d6963f7d28e17f72",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    path = tmp_path / "any name"
    for digest in digests:
        file = KnownFile("train images", "abc.gz", 3, digest)
        for content, same in ((b"abc", True), (b"abd", False), (b"abcd", False)):
            path.write_bytes(content)
            assert file.is_at(path) is same
