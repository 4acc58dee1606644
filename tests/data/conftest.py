"""No test of this room leaves the machine: a proxy would stand before the loopback."""

import pytest


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
