"""Settings of a cluster: decided once, checked, kept."""

from pathlib import Path

import pytest

from cli import cluster
from cli.cluster import Wishes
from cli.errors import CliError
from cli.layout import Layout


def test_names_come_from_the_host_in_lower_case() -> None:
    assert cluster.node_name(None, "Alpha-1") == "alpha-1"
    assert cluster.node_name("beta.example", "alpha") == "beta.example"


@pytest.mark.parametrize("name", ["under_score", "-dash", "", "a" * 254, "dot..dot"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(CliError, match="--node-name"):
        cluster.node_name(name, name)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.244.0.1/16", "fd00::/64", "10.1.1.0/28", "x"])
def test_bad_networks_are_refused(text: str) -> None:
    with pytest.raises(CliError, match="--pod-cidr"):
        cluster.network("--pod-cidr", text)


def test_addresses_must_be_of_this_machine() -> None:
    assert cluster.address("192.0.2.1", {"192.0.2.1"}) == "192.0.2.1"
    with pytest.raises(CliError, match="not an address of this machine"):
        cluster.address("192.0.2.2", {"192.0.2.1"})
    with pytest.raises(CliError, match="--node-address"):
        cluster.address("here", {"192.0.2.1"})


def test_networks_must_not_overlap() -> None:
    with pytest.raises(CliError, match="overlap"):
        cluster.decide(Wishes(pod_cidr="10.96.0.0/16"), "one", "192.0.2.1", systemd=False)
    with pytest.raises(CliError, match="--pod-cidr"):
        cluster.decide(Wishes(), "one", "10.244.3.4", systemd=False)


def test_kept_settings_come_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.etc.mkdir(parents=True)
    made = cluster.decide(Wishes(), "one", "192.0.2.1", systemd=True)
    cluster.save(made, layout)
    assert cluster.load(layout) == made
    assert (made.kubernetes_service, made.cgroup_driver) == ("10.96.0.1", "systemd")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.etc.mkdir(parents=True)
    assert cluster.load(layout) is None
    layout.cluster.write_text("nodename: one\n")
    with pytest.raises(CliError, match=r"cluster\.yaml.*nodename"):
        cluster.load(layout)
