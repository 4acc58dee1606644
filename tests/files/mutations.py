"""Damaged files, by the ways in which files are damaged and forged."""

import random
import re

NUMBERS = ["-1", "0", "1", "7", "255", "65536", "4294967296", "1e3", "null", "true"]
NUMBERS += ["18446744073709551616", "9" * 40, '"x"', "[]", "NaN", "1.5"]
TYPES = ["BOOL", "U8", "I8", "U16", "F16", "I32", "F32", "U64", "F64", "C64", ""]


def mutated(whole, rng):
    """`whole` with one to four faults; `rng` is a random.Random."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        whole = rng.choice(WAYS)(whole, rng)
    return whole


def flip(whole, rng):
    """Flip bits of a byte."""
    if not whole:
        return whole
    at = rng.randrange(len(whole))
    return whole[:at] + bytes([whole[at] ^ rng.randrange(1, 256)]) + whole[at + 1 :]


def truncate(whole, rng):
    """Lose the end."""
    return whole[: rng.randrange(len(whole) + 1)]


def extend(whole, rng):
    """Gain an end."""
    return whole + rng.randbytes(rng.randrange(1, 64))


def splice(whole, rng):
    """Put a piece of the file over another place, or into it."""
    begin, end = sorted(rng.randrange(len(whole) + 1) for _ in range(2))
    at = rng.randrange(len(whole) + 1)
    piece = whole[begin : min(end, begin + 64)]
    return whole[:at] + piece + whole[at + rng.choice((0, len(piece))) :]


def overwrite(whole, rng):
    """Put zeros, ones or noise over a few bytes."""
    count = rng.randrange(1, 9)
    at = rng.randrange(max(len(whole) - count, 0) + 1)
    piece = rng.choice((b"\0" * count, b"\xff" * count, rng.randbytes(count)))
    return (whole[:at] + piece + whole[at + count :])[: len(whole)]


def lie_about_the_header(whole, rng):
    """Claim another header length."""
    claims = (0, 1, max(len(whole) - 8, 0), len(whole), 10 * 2**30, 2**63, 2**64 - 1)
    return rng.choice(claims).to_bytes(8, "little") + whole[8:]


def lie_in_the_header(whole, rng):
    """Change one number of the header, and state the header's length correctly."""
    return _edited(whole, rng, rb"-?\d+", [n.encode() for n in NUMBERS])


def lie_about_a_type(whole, rng):
    """Change the type of one array, and state the header's length correctly."""
    pattern = b'"(?:' + b"|".join(t.encode() for t in TYPES if t) + b')"'
    return _edited(whole, rng, pattern, [f'"{t}"'.encode() for t in TYPES])


def lie_by_a_word(whole, rng):
    """Put one quoted text of the header in the place of another."""
    header = whole[8 : 8 + int.from_bytes(whole[:8], "little")]
    words = re.findall(rb'\\?"[^"]{1,40}"', header)
    return _edited(whole, rng, rb'\\?"[^"]{1,40}"', words)


def _edited(whole, rng, pattern, replacements):
    """The header with one occurrence of `pattern` replaced."""
    length = int.from_bytes(whole[:8], "little")
    header, body = whole[8 : 8 + length], whole[8 + length :]
    places = list(re.finditer(pattern, header))
    if not places:
        return whole
    place = rng.choice(places)
    new = rng.choice(replacements)
    header = header[: place.start()] + new + header[place.end() :]
    return len(header).to_bytes(8, "little") + header + body


WAYS = [
    flip,
    flip,
    truncate,
    extend,
    splice,
    overwrite,
    lie_about_the_header,
    lie_in_the_header,
    lie_in_the_header,
    lie_about_a_type,
    lie_by_a_word,
]


def damaged(path, count, seed=0):
    """Damage the file `count` times, and yield what it holds then.

    The same ways every time: each comes from a seed of its own. In the end the file is
    whole again.
    """
    with open(path, "r+b", buffering=0) as file:
        whole = file.read()
        for number in range(count):
            content = mutated(whole, random.Random(f"{seed} {number}"))
            _put(file, content)
            yield content
        _put(file, whole)


def _put(file, content):
    """Let the file hold this."""
    file.seek(0)
    file.write(content)
    file.truncate()
