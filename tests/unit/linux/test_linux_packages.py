"""Debian packages: what is missing, and what apt's complaints mean."""

import pytest

from linux import packages
from linux.packages import MEANINGS, PackagesError, Requirement
from linux.process import ProcessFailed


def test_missing_packages_are_named_once() -> None:
    wanted = [
        Requirement("sh", "dash"),
        Requirement("no-such-a", "p"),
        Requirement("no-such-b", "p"),
        Requirement("/no/such", "q"),
    ]
    assert packages.missing(wanted) == ["p", "q"]


@pytest.mark.parametrize("sign", [sign for sign, _, _ in MEANINGS])
def test_complaints_are_explained(sign: str) -> None:
    said = f"Reading package lists...\nE: {sign} something\n".encode()
    error = packages._explain(["one", "two"], ProcessFailed(["apt-get"], 100, b"", said))
    assert isinstance(error, PackagesError)
    assert str(error).startswith("cannot install one two: ")
    assert sign in str(error)
    assert error.remedy
    assert "\n" not in str(error)


def test_unknown_complaints_are_shown() -> None:
    error = packages._explain(["one"], ProcessFailed(["apt-get"], 100, b"", b"E: the moon is full\n"))
    assert "the moon is full" in str(error)
    assert "apt-get install one" in error.remedy


def test_nothing_to_install_asks_nobody() -> None:
    packages.install([])
