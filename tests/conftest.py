"""What every test may rely on: a test that needs something this machine lacks is skipped with the reason, never silently."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.second_look import SecondLook


def lacking(item: pytest.Item) -> str:
    """What a test needs and this machine has not; "" when it can run."""
    if os.geteuid() != 0 and any(item.get_closest_marker(name) for name in ("root", "containerd", "cluster")):
        return "needs root"
    for marker, programs in (
        ("containerd", ("containerd", "runc")),
        ("cluster", ("containerd", "runc", "kubectl", "nft")),
        ("etcd", ("etcd",)),
    ):
        missing = [program for program in programs if shutil.which(program) is None]
        if item.get_closest_marker(marker) and missing:
            return f"needs {', '.join(missing)}, which ./wherry test installs"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    """What runs in the background has SIGINT ignored, and so would all that tests start and want to interrupt."""
    config.pluginmanager.register(SecondLook())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_logstart(nodeid: str) -> None:
    """Say which test runs, for whoever has to say where a run was cut off."""
    if place := os.environ.get("WHERRY_RUNNING_TEST"):
        Path(place).write_text(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here, and run whole clusters last."""
    for item in items:
        reason = lacking(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)
