"""The examples of docs/conformance.md run, and what it cites exists."""

import importlib
import pkgutil
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from minprune.conformance import CHECKS, Toolkit, expected, run
from minprune.conformance.adapter import Toolkit as Base
from minprune.conformance.isolated import CAPABILITIES
from tests.conformance import suspects

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def my_lib(monkeypatch):
    """The library of the examples: a stable sort, and counts that round."""

    def prune(score, sparsity):
        kept = np.ones(score.size, bool)
        kept[np.argsort(score, axis=None)[: round(sparsity * score.size)]] = False
        return kept.reshape(score.shape)

    module = types.ModuleType("my_lib")
    module.__version__, module.prune = "1.0", prune
    monkeypatch.setitem(sys.modules, "my_lib", module)
    return module


def test_the_adapter_of_the_page_is_one(my_lib):
    space = {}
    exec(EXAMPLES[0], space)
    toolkit = space["Adapter"]()
    assert isinstance(toolkit, Toolkit)
    report = run(toolkit, only=["count_is_exact", "it_ends_at_final"])
    assert [f.status for f in report.findings] == ["passed", "unsupported"]


def test_the_test_of_the_page_passes(my_lib):
    space = {"my_lib": my_lib}
    exec(EXAMPLES[1], space)
    space["test_ties_do_not_change_the_count"]()


def test_the_page_names_every_capability():
    assert len(CAPABILITIES) == 12
    assert all(f"`{name}`" in PAGE and hasattr(Base, name) for name in CAPABILITIES)


def test_every_suspicion_is_on_the_page_and_every_one_named_exists():
    found = [module.name for module in pkgutil.iter_modules(suspects.__path__)]
    toolkits = [name for name in found if not name.startswith("_")]
    written = {
        name
        for toolkit in toolkits
        for name in vars(importlib.import_module(f"{suspects.__name__}.{toolkit}"))
        if name.startswith(tuple(f"{known}_" for known in toolkits))
    }
    named = set(re.findall(rf"`((?:{'|'.join(toolkits)})_\w+)`", PAGE))
    assert len(toolkits) > 8
    assert written == named


def test_every_row_of_the_table_counts_every_check():
    rows = re.findall(r"^\| \S.* \d\S* \|((?: \d+ \|){4})$", PAGE, re.MULTILINE)
    assert len(rows) == 10
    for row in rows:
        assert sum(map(int, re.findall(r"\d+", row))) == len(CHECKS)


def test_every_record_of_a_toolkit_is_of_the_version_on_the_page():
    folder = Path(__file__).with_name("expected")
    names = {path.stem for path in folder.glob("*.toml")}
    assert names == {"torch_prune", "torch_ao", "torch_pruning", "torchao", "nncf"}
    for path in folder.glob("*.toml"):
        toolkit = re.search(r"deviations of (.*);", path.read_text())[1]
        (counts,) = re.findall(
            rf"^\| {re.escape(toolkit)} \| \d+ \| (\d+) \| (\d+) \|", PAGE, re.MULTILINE
        )
        assert len(expected.load(path, "")) == sum(map(int, counts))


def test_every_clause_on_the_page_is_in_the_specification():
    text = Path(__file__).parents[2] / "docs" / "specification.md"
    stated = set(re.findall(r"\*\*([A-Z]\.\w+)", text.read_text()))
    cells = re.findall(r"^\| ((?:[A-Z]\.\w+(?:, )?)+) \|", PAGE, re.MULTILINE)
    cited = {clause for cell in cells for clause in cell.split(", ")}
    assert len(cited) > 10
    assert cited <= stated
