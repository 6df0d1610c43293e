"""A second look: a test that drives processes or a kernel and fails is run once more, and the run tells of both.

Such tests share a machine with whatever else runs on it, and one of thousands may meet a moment that nobody thought of. That is a bug of
the test or of the product: the first failure is printed whole and named in the summary. But it holds nobody else's work up. What fails
twice fails, and so does what comes after `MOST` such tests: that is no single moment any more. Tests of plain Python get no second look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from _pytest.runner import runtestprotocol

from cli.testing import FIRST_LOOK

MOST = 3  # in one run of pytest
FOLDERS = ("tests/cluster/", "tests/cri/", "tests/netns/", "tests/scenario/")
MARKERS = ("root", "containerd", "etcd", "cluster")


def drives_a_machine(item: pytest.Item) -> bool:
    """Whether more than Python takes part in this test."""
    return item.nodeid.startswith(FOLDERS) or any(item.get_closest_marker(name) for name in MARKERS)


@dataclass
class SecondLook:
    """Runs again what fails, and remembers what the first failure was."""

    first: dict[str, pytest.TestReport] = field(default_factory=dict)

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not drives_a_machine(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failure = next((report for report in reports if report.failed), None)
        if failure is not None and len(self.first) < MOST:
            self.first[item.nodeid] = failure
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            reports[-1].user_properties.append((FIRST_LOOK, _reason(failure)))
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.first:
            terminalreporter.section("needed a second look")
        for name, report in self.first.items():
            terminalreporter.write_line(f"{name}, at its first look:\n{report.longreprtext}")
            for title, text in report.sections:
                terminalreporter.write_line(f"{title}:\n{text}")


def _reason(report: pytest.TestReport) -> str:
    """What was said of a failure, in one line."""
    said = [line.removeprefix("E").strip() for line in report.longreprtext.splitlines() if line.startswith("E ")]
    return f"{report.when}: {' '.join(said[:2]) or 'no reason given'}"
