"""Public data sets that a user may have on disk, and the checksum of every file.

Names do not tell them apart: MNIST, Fashion-MNIST and KMNIST use the same four. So a
file is what its checksum says, and its name and place do not matter. SHA-256 where one
is published, otherwise MD5; either finds damage, which is what it is for here.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROLES = ("train images", "train labels", "test images", "test labels")
"""The four IDX files of a set; a CIFAR set is one "archive"."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One published file: its role in the set, usual name, size and hex digest."""

    role: str
    name: str
    size: int
    digest: str

    def is_at(self, path: Path) -> bool:
        """Whether `path` holds exactly this file; hashes only if the size fits."""
        if path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            algorithm = "md5" if len(self.digest) == 32 else "sha256"
            return hashlib.file_digest(file, algorithm).hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class KnownSet:
    """One published set. The first file of a role is the one that can be downloaded."""

    name: str
    title: str
    files: tuple[KnownFile, ...]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]
    attribution: str

    def to_download(self) -> dict[str, KnownFile]:
        """Role and file of what makes the set complete, in its published form."""
        roles = (*ROLES, "archive")
        first = {file.role: file for file in reversed(self.files)}
        return {role: first[role] for role in roles if role in first}


_DIGITS = tuple("0123456789")

MNIST = KnownSet(
    name="mnist",
    title="MNIST",
    files=(
        KnownFile(
            "train images",
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        KnownFile(
            "train images",
            "train-images-idx3-ubyte",
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte",
            60_008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte",
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte",
            10_008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        KnownFile(
            "npz",
            "mnist.npz",
            11_490_434,
            "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    classes=_DIGITS,
    attribution="MNIST, Y. LeCun, C. Cortes and C. J. C. Burges (1998)",
)

FASHION = KnownSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    files=(
        KnownFile(
            "train images",
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        KnownFile(
            "train images",
            "train-images-idx3-ubyte",
            47_040_016,
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte",
            60_008,
            "9018921c3c673c538a1fc5bad174d6f9",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte",
            7_840_016,
            "8181f5470baa50b63fa0f6fddb340f0a",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte",
            10_008,
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    attribution="Fashion-MNIST, Zalando SE (2017), arXiv:1708.07747, MIT license",
)

KMNIST = KnownSet(
    name="kmnist",
    title="KMNIST",
    files=(
        KnownFile(
            "train images",
            "train-images-idx3-ubyte.gz",
            18_165_135,
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte.gz",
            29_497,
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte.gz",
            3_041_136,
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte.gz",
            5_120,
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        KnownFile(
            "train images",
            "train-images-idx3-ubyte",
            47_040_016,
            "92be26ec9822e900ac425d0a0aa84ced",
        ),
        KnownFile(
            "train labels",
            "train-labels-idx1-ubyte",
            60_008,
            "949e75301f8813e0dc5800dcc320fc52",
        ),
        KnownFile(
            "test images",
            "t10k-images-idx3-ubyte",
            7_840_016,
            "bf305b8cd328700fbc17f5acbc2856d2",
        ),
        KnownFile(
            "test labels",
            "t10k-labels-idx1-ubyte",
            10_008,
            "9f55f451c0988b028eccdf7d5cc265ab",
        ),
    ),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    attribution="KMNIST, CODH, adapted from the Kuzushiji Dataset (NIJL and others), "
    "doi:10.20676/00000341, CC BY-SA 4.0",
)

CIFAR10 = KnownSet(
    name="cifar10",
    title="CIFAR-10",
    files=(
        KnownFile(
            "archive",
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        KnownFile(
            "pickled",
            "cifar-10-python.tar.gz",
            170_498_071,
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
        KnownFile(
            "pickled",
            "data_batch_1",
            31_035_704,
            "c99cafc152244af753f735de768cd75f",
        ),
    ),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    attribution="CIFAR-10, A. Krizhevsky (2009), "
    '"Learning multiple layers of features from tiny images"',
)

CIFAR100 = KnownSet(
    name="cifar100",
    title="CIFAR-100",
    files=(
        KnownFile(
            "archive",
            "cifar-100-binary.tar.gz",
            168_513_733,
            "03b5dce01913d631647c71ecec9e9cb8",
        ),
        KnownFile(
            "pickled",
            "cifar-100-python.tar.gz",
            169_001_437,
            "eb9058c3a382ffc7106e4002c42a8d85",
        ),
        KnownFile(
            "pickled",
            "train",
            155_249_918,
            "16019d7e3df5f24257cddd939b257f8d",
        ),
    ),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    classes=tuple(str(number) for number in range(100)),
    attribution="CIFAR-100, A. Krizhevsky (2009), "
    '"Learning multiple layers of features from tiny images"',
)

KNOWN = {s.name: s for s in (MNIST, FASHION, KMNIST, CIFAR10, CIFAR100)}
