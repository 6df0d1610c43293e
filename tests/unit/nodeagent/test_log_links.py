"""Links to logs, for those who collect them."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kit.clock import FakeClock
from nodeagent.model.seen import PodRef
from nodeagent.plan.log_links import LinkPlan, link_name, plan_links
from nodeagent.upkeep.links import LogLinks
from tests.unit.nodeagent.pods import NODE, container, pod, sandbox, seen


def test_names() -> None:
    assert link_name(PodRef("u", "ns", "web"), "a", "1234") == "web_ns_a-1234.log"
    long = link_name(PodRef("u", "n" * 63, "w" * 253), "a", "f" * 64)
    assert len(long) == 255 and long.endswith("-" + "f" * 64 + ".log")


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ({}, {}, LinkPlan({}, ())),
        ({"a": "/l/a"}, {}, LinkPlan({"a": "/l/a"}, ())),
        ({"a": "/l/a"}, {"a": "/l/a"}, LinkPlan({}, ())),
        ({"a": "/l/a"}, {"a": "/l/b"}, LinkPlan({"a": "/l/a"}, ("a",))),
        ({}, {"a": "/l/a", "b": "/elsewhere/b", "c": "/logs/c"}, LinkPlan({}, ("a",))),
    ],
)
def test_what_is_changed(wanted: dict[str, str], there: dict[str, str], expected: LinkPlan) -> None:
    assert plan_links(wanted, there, "/l") == expected


def test_links_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "containers"
    node = replace(NODE, pod_logs=str(tmp_path / "pods"))
    workers: dict[str, Any] = {}
    links = LogLinks(workers, node, FakeClock(), str(folder))
    links.look()
    assert not folder.exists()
    state = SimpleNamespace(pod=pod("a"), seen=seen(sandbox(), container("a"), container("a", "exited", attempt=1)))
    workers["u"] = SimpleNamespace(state=state)
    links.look()
    found = {name: os.readlink(folder / name) for name in os.listdir(folder)}
    assert found == {f"p_ns_a-a{n}.log": f"{tmp_path}/pods/ns_p_u/a/{n}.log" for n in (0, 1)}
    (folder / "other.log").symlink_to("/elsewhere")
    state.seen = seen(sandbox(), container("a", attempt=1))
    LogLinks(workers, node, FakeClock(), str(folder)).look()  # an agent that was started anew
    assert sorted(os.listdir(folder)) == ["other.log", "p_ns_a-a1.log"]
    workers.clear()
    links.look()
    assert os.listdir(folder) == ["other.log"]
