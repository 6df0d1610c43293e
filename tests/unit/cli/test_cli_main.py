"""The command line: help everywhere, wrong input in one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from cli import testing
from cli.main import COMMANDS, PACKAGES, main
from cli.testing import Outcome
from linux.process import start


@pytest.mark.parametrize("name", ["", *COMMANDS, *PACKAGES, "bench"])
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*([name] if name else []), "--help"])
    assert ended.value.code == 0
    assert f"usage: wherry{' ' + name if name else ''}" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["up", "--bogus"], ["bogus"], ["agent"], ["down", "--grace", "x"]])
def test_wrong_flags(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: wherry" in capsys.readouterr().err


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert "first steps" in capsys.readouterr().out


def test_a_missing_configuration_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxy", "--config", "/nonexistent.yaml"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("wherry: cannot start the proxy: cannot read /nonexistent.yaml")
    assert said.count("\n") == 1


def test_help_is_light() -> None:
    """Start-up imports nothing that only one subcommand needs."""
    heavy = ["uvloop", "grpc", "cryptography", "yaml", "psutil", "msgspec", "asyncio", "pyroute2"]
    script = f"import sys; import cli.main; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_summary_names_skips_and_failures() -> None:
    outcomes = [Outcome("ruff check", True, 1.0), Outcome("pytest", False, 2.0, "1 passed, 1 failed, 1 skipped")]
    lines = testing.summary(outcomes, ["skipped tests.a.test_b: needs root"])
    assert lines[1].startswith("ok      ruff check")
    assert lines[2].startswith("FAILED  pytest")
    assert lines[3] == "skipped tests.a.test_b: needs root"


def test_the_reports_of_all_lanes_are_counted_together(tmp_path: Path) -> None:
    numbers = ((7, 1, 1, 2), (5, 0, 0, 0))
    reports = []
    for lane, (tests, failures, errors, skipped) in enumerate(numbers):
        reports.append(tmp_path / f"{lane}.xml")
        suite = f'<testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"/>'
        reports[-1].write_text(f"<testsuites>{suite}</testsuites>")
    assert testing.counts(reports) == "8 passed, 2 failed, 2 skipped"


def test_the_summary_names_what_was_skipped_and_what_needed_a_second_look(tmp_path: Path) -> None:
    report = tmp_path / "0.xml"
    first = '<properties><property name="first look" value="call: 1 is not 2"/></properties>'
    cases = (
        '<testcase classname="tests.a" name="one"/>',
        '<testcase classname="tests.a" name="two"><skipped message="needs root"/></testcase>',
        f'<testcase classname="tests.a" name="three">{first}</testcase>',
        f'<testcase classname="tests.a" name="four">{first}<failure/></testcase>',
        f'<testcase classname="tests.a" name="five">{first}<error/></testcase>',
    )
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert list(testing.read_notes(report)) == [
        "skipped tests.a.two: needs root",
        "unsteady tests.a.three: call: 1 is not 2",
    ]


def test_a_lane_that_is_cut_off_names_its_test(tmp_path: Path) -> None:
    lane = testing.Lane(tmp_path, 0, "root")
    assert lane.cut_off(4) == "ended with status 4 in no test at all"
    lane.running.write_text("tests/a/test_b.py::test_c[1]")
    assert lane.cut_off(1) == "ended with status 1 in tests/a/test_b.py::test_c[1]"
    lane.report.write_text("<testsuites/>")  # as an interrupted one has
    assert lane.cut_off(None) == "took too long in tests/a/test_b.py::test_c[1]"
    assert lane.cut_off(1) == ""


def test_a_run_that_dies_says_in_which_test(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dying = tmp_path / "test_dying.py"
    dying.write_text("import os\ndef test_it():\n    os._exit(7)\n")
    with capfd.disabled():
        settings = str(testing.CHECKOUT / "pyproject.toml")
        outcome, _ = testing.run_tests(tmp_path, ["-c", settings, "-p", "tests.conftest", str(dying)], "")
    assert not outcome.ok
    assert outcome.detail.startswith("0 passed, 0 failed, 0 skipped; ended with status 7 in ")
    assert outcome.detail.endswith("::test_it")


def test_what_hangs_is_interrupted_and_ended() -> None:
    child = start(["sleep", "1000"])
    assert testing._end(child, 0) is None
    assert child.poll() == -signal.SIGINT


def test_every_test_runs_in_one_lane() -> None:
    expressions = [Expression.compile(lane) for lane in testing.LANES]
    for markers in (
        {"root"},
        {"containerd", "slow"},
        {"containerd", "long"},
        {"cluster", "root"},
        {"slow"},
        {"etcd"},
        set(),
    ):
        assert sum(expression.evaluate(lambda name, has=markers, **_: name in has) for expression in expressions) == 1
