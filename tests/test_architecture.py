"""The rules of the house, each a short test over the source as it stands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minprune

PACKAGE = Path(minprune.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
FLOW = (
    *("_version", "_check", "_random", "files", "data", "nn", "metrics", "criteria"),
    *("masks", "structure", "sparse", "quantize", "store", "prune", "export", "study"),
    *("conformance", "cli", "__main__"),
)
FAMILIES = [
    path
    for path in FILES
    if path.parent.name == "criteria"
    and path.name not in ("__init__.py", "evidence.py", "_page.py", "_catalog.py")
]


def room(path):
    """The stage of the flow that a file belongs to; None for the package's own face."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return None if first == "__init__" else first


def imported(path, anywhere=True):
    """Dotted names that a file imports, at any depth or at its top level only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree) if anywhere else tree.body:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ids(path):
    return str(path.relative_to(PACKAGE))


def test_every_file_belongs_to_a_stage():
    assert {room(path) for path in FILES} - {None} <= set(FLOW)


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_follow_the_flow(path):
    here = room(path)
    if here is None:
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "minprune" or len(parts) < 2 or parts[1] not in FLOW:
            continue
        assert FLOW.index(parts[1]) <= FLOW.index(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", FAMILIES, ids=ids)
def test_a_criterion_family_knows_numpy_checks_and_the_catalog(path):
    helpers = tuple(
        f"minprune.criteria.{helper.stem}"
        for helper in path.parent.glob("_*.py")
        if helper.stem not in ("__init__", "_page")
    )
    allowed = ("numpy", "minprune._check", *helpers, *sys.stdlib_module_names)
    for name in imported(path):
        fits = any(name == root or name.startswith(f"{root}.") for root in allowed)
        assert fits or name in ("minprune", "minprune.criteria"), name


def test_there_are_families_to_check():
    assert len(FAMILIES) >= 5


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_numba_is_imported_in_two_files_only(path):
    compiled = {name.split(".")[0] for name in imported(path)} & {"numba", "llvmlite"}
    if compiled:
        where = path.relative_to(PACKAGE).as_posix()
        assert where in ("sparse/kernels/_jit.py", "sparse/kernels/_lanes.py")


@pytest.mark.parametrize(
    ("name", "allowed"), [("player.py", {"numpy"}), ("tiny.py", set())]
)
def test_a_player_is_one_file_that_needs_nothing_else(name, allowed):
    path = PACKAGE / "export" / name
    if not path.exists():
        pytest.skip(f"{name} is not written yet")
    allowed = allowed | set(sys.stdlib_module_names) | {"micropython"}
    assert {module.split(".")[0] for module in imported(path)} <= allowed


def test_oracles_share_no_code_with_what_they_judge():
    oracles = sorted((Path(__file__).parent / "oracles").glob("*.py"))
    assert len(oracles) > 3
    for path in oracles:
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"minprune", "numba"}, path


def test_a_toolkit_is_imported_in_its_own_file_only():
    foreign = {"torch", "torchao", "torch_pruning", "nncf", "tensorflow", "tf_keras"}
    foreign |= {"tensorflow_model_optimization", "llmcompressor", "nni", "sparseml"}
    foreign |= {"neural_compressor"}
    for path in FILES:
        if path.parent.name != "toolkits":
            roots = {name.split(".")[0] for name in imported(path)}
            assert not roots & foreign, path


def test_nothing_is_ever_unpickled():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert "pickle" not in {name.split(".")[0] for name in imported(path)}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                given = {keyword.arg for keyword in node.keywords}
                assert "allow_pickle" in given, f"{path}: np.load without allow_pickle"


def fresh(code):
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


HEAVY = "print(*{m.split('.')[0] for m in sys.modules} & {'numpy', 'scipy', 'numba'})"


def test_importing_the_package_imports_nothing_heavy():
    assert fresh(f"import sys, minprune; {HEAVY}") == []


def test_help_answers_without_numpy():
    code = f"""
import sys
from minprune.cli import parser
parser().format_help()
{HEAVY}
"""
    assert fresh(code) == []


def test_numba_waits_until_a_kernel_is_needed():
    code = f"""
import sys
from minprune import data, nn, sparse, store, prune
{HEAVY}
"""
    assert "numba" not in fresh(code)
