"""Every check as a test in the suite of a toolkit: ``pytest --minprune-toolkit ...``.

Installed with minprune and idle unless asked. It imports nothing until then, so a run
without the option costs what it costs without minprune.

- ``--minprune-toolkit pkg.mod:Adapter`` adds one test for each check.
- ``--minprune-python PATH`` runs the adapter in another interpreter.
- ``--minprune-expected FILE`` has the known failures; ``minprune-conformance.toml``
  beside the ini-file is read without being named. They are reported as xfail, and one
  that no longer fails is a failure.
- ``--minprune-seed N`` is the seed of the drawn cases.

What a toolkit lacks is a skip, a deviation a failure that reads without a traceback.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from minprune.conformance import Finding, Toolkit


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("minprune", "a pruning toolkit held to the specification")
    group.addoption("--minprune-toolkit", metavar="ADAPTER", help="pkg.mod:Adapter")
    group.addoption("--minprune-python", metavar="PATH", help="interpreter of it")
    group.addoption("--minprune-expected", metavar="FILE", help="known failures")
    group.addoption("--minprune-seed", type=int, default=0, metavar="N")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """One test for each check, before -k and -m choose among them."""
    name = config.getoption("minprune_toolkit")
    if name:
        parent = Conformance.from_parent(session, name="minprune", nodeid="minprune")
        items.extend(parent.collect())


class Conformance(pytest.Collector):
    """The checks of one toolkit."""

    def collect(self) -> list["CheckItem"]:
        """One item a check, in the order of the specification."""
        from minprune.conformance import chosen, expected

        try:
            toolkit = self._toolkit()
            path = self.config.getoption("minprune_expected")
            usual = self.config.rootpath / "minprune-conformance.toml"
            if path is None and usual.exists():
                path = usual
            known = expected.load(path, toolkit.version) if path else {}
        except (ValueError, OSError) as why:
            raise pytest.UsageError(str(why)) from why
        return [
            CheckItem.from_parent(
                self, name=check.name, toolkit=toolkit, reason=known.get(check.name)
            )
            for check in chosen()
        ]

    def _toolkit(self) -> "Toolkit":
        """The adapter, here or in the interpreter asked for."""
        from minprune.conformance import Isolated
        from minprune.conformance.load import adapter

        name = self.config.getoption("minprune_toolkit")
        python = self.config.getoption("minprune_python")
        if not python:
            return adapter(name)
        toolkit = Isolated(name, python)
        self.config.add_cleanup(toolkit.close)
        return toolkit


class CheckItem(pytest.Item):
    """One check of one toolkit."""

    def __init__(self, *, toolkit: "Toolkit", reason: str | None, **given: Any) -> None:
        super().__init__(**given)
        self.toolkit, self.reason = toolkit, reason

    def runtest(self) -> None:
        """The finding as pytest's outcome."""
        from minprune.conformance import CHECKS
        from minprune.conformance.runner import run_one

        seed = self.config.getoption("minprune_seed")
        adapter = self.config.getoption("minprune_toolkit")
        finding = run_one(
            self.toolkit, CHECKS[self.name], self.reason, seed, adapter=adapter
        )
        if finding.status == "unsupported":
            pytest.skip(f"unsupported: {finding.message}")
        if finding.status == "expected":
            pytest.xfail(finding.message)
        if finding.status != "passed":
            raise NotConforming(finding)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        """The finding's own words; a traceback only for an error of the kit."""
        if isinstance(excinfo.value, NotConforming):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        """What pytest calls it."""
        return self.path, None, f"minprune conformance: {self.name}"


class NotConforming(Exception):
    """A finding that is not good."""

    def __init__(self, finding: "Finding") -> None:
        says = finding.message
        if finding.status == "fixed":
            says = (
                f"recorded as a known failure ({says}), but it passes: drop the record"
            )
        lines = [f"{finding.clause} {finding.check}: {finding.status}", says]
        super().__init__("\n".join([*lines, finding.repeat]).rstrip())
