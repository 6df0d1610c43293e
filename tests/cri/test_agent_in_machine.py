"""The agent on kernels that the machine of the tests has not: cgroup v2 by files and by systemd, oom_score_adj below 0."""

from functools import cache

import pytest

from tests.cri.guest import Guest

pytestmark = [pytest.mark.root, pytest.mark.containerd, pytest.mark.slow, pytest.mark.long]

SCENES = {
    "cgroupfs": (
        "unified.groups",
        "unified.killed_with_all_its_processes",
        "unified.too_many_processes",
        "unified.resized",
        "eviction.memory_runs_low",
        "unified.numbers",
        "network_files.nfs",
    ),
    "systemd": ("unified.groups", "unified.resized"),
}


@cache
def outcomes(driver: str) -> dict[str, str]:
    """All scenes of one driver, played in one machine."""
    with Guest(driver) as guest:
        return guest.play(SCENES[driver])


@pytest.mark.parametrize(
    ("driver", "scene"), [(driver, scene) for driver, scenes in SCENES.items() for scene in scenes]
)
def test_scene(driver: str, scene: str) -> None:
    problem = outcomes(driver)[scene]
    assert not problem, problem
