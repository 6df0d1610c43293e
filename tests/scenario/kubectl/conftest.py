"""Every kubectl there is, in turn."""

from __future__ import annotations

import pytest

from tests import kubectls


@pytest.fixture(scope="session")
def kubectl_programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The programs by name; none at all is an error, not a reason to skip."""
    names = kubectls.found()
    assert names, "no kubectl: install kubernetes-client"
    return {name: kubectls.program(name, tmp_path_factory.mktemp("kubectl")) for name in names}


@pytest.fixture(params=kubectls.found(), ids=lambda place: place.rpartition("/")[2])
def kubectl(request: pytest.FixtureRequest, kubectl_programs: dict[str, str]) -> str:
    """A kubectl's path."""
    return kubectl_programs[request.param]
