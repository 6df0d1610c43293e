"""What `status` shows."""

import os

import pytest

from cli import status
from cli.status import Component


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (90000, "1d1h"),
        (864000, "10d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert status.duration(seconds) == text


def test_the_table() -> None:
    well = Component("agent", "running", True, "", 7, 41.4, 61.0, 0, "0.1.0")
    sick = Component("proxy", "running", False, "no answer in 2 s", 8, 30.0, 5.0, 3, "0.1.0")
    stopped = Component("controlplane", "stopped", False, "", 0, 0.0, 0.0, 0, "0.1.0")
    lines = [line.split() for line in status.table([well, sick, stopped])]
    assert lines[1] == ["agent", "running", "ok", "7", "41", "MB", "1m1s", "0", "0.1.0"]
    assert lines[2][2:7] == ["no", "answer", "in", "2", "s"]
    assert lines[3] == ["controlplane", "stopped", "-", "-", "-", "-", "0", "0.1.0"]


def test_facts_of_a_process() -> None:
    assert status.memory_mb(os.getpid()) > 1
    assert status.running_seconds(os.getpid()) >= 0
    assert status.memory_mb(2**22 + 1) == 0.0
    assert status.own_version().count(".") == 2
