"""What lies on the disk: the container, the stored form of a weight, atomic writing."""

from minprune.files.atomic import atomic_write
from minprune.files.container import LIMIT_BYTES, read, write
from minprune.files.stored import (
    Pattern,
    decode,
    encode,
    encode_pattern,
    pattern,
    stored_bytes,
)

__all__ = [
    "LIMIT_BYTES",
    "Pattern",
    "atomic_write",
    "decode",
    "encode",
    "encode_pattern",
    "pattern",
    "read",
    "stored_bytes",
    "write",
]
