"""Every program can read the configuration that `up` writes for it."""

import importlib
import tomllib
from pathlib import Path

import pytest

from api import kinds
from cli import certificates, cluster, configs
from cli.cluster import Cluster, Wishes
from cli.configs import RuntimeFacts
from cli.layout import Layout
from cli.main import PACKAGES
from client import kubeconfig
from controlplane.apiserver.bootstrap import rbac
from kit import pki
from kit.files import write_atomic
from nodeagent.server.callers import API_SERVER


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.etc.mkdir(parents=True)
    return made


@pytest.fixture
def settings(layout: Layout) -> Cluster:
    made = cluster.decide(Wishes(), "one", "192.0.2.1", systemd=False)
    certificates.make(made, layout)
    return made


def write(settings: Cluster, layout: Layout, *, limits: bool = True) -> None:
    facts = RuntimeFacts(systemd_cgroups=False, may_raise_limits=limits, apparmor=False)
    for path, data in configs.render(settings, layout, facts).items():
        write_atomic(path, data, mode=0o600)


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_programs_read_their_files(name: str, layout: Layout, settings: Cluster) -> None:
    write(settings, layout)
    importlib.import_module(f"{PACKAGES[name]}.config").load(str(layout.config(name)))


def test_containerd_config(layout: Layout, settings: Cluster) -> None:
    write(settings, layout, limits=False)
    document = tomllib.loads(layout.config("containerd").read_text())
    assert document["oom_score"] == 0
    assert document["plugins"]["io.containerd.grpc.v1.cri"]["restrict_oom_score_adj"] is True
    assert document["grpc"]["address"].endswith("run/wherry/containerd/containerd.sock")


@pytest.mark.parametrize("name", ["admin", "agent", "network", "proxy"])
def test_kubeconfigs(name: str, layout: Layout, settings: Cluster) -> None:
    write(settings, layout)
    access = kubeconfig.load(str(layout.kubeconfig(name)))
    assert access.server == "https://127.0.0.1:6443"
    assert access.ca == certificates.cert(layout, "ca").read_bytes()
    assert oct(layout.kubeconfig(name).stat().st_mode & 0o777) == "0o600"


def test_certificates_are_made_once(layout: Layout, settings: Cluster) -> None:
    assert certificates.complete(settings, layout)
    before = certificates.cert(layout, "apiserver").read_bytes()
    certificates.make(settings, layout)
    assert certificates.cert(layout, "apiserver").read_bytes() == before


def test_the_api_server_is_no_master_towards_agents(layout: Layout, settings: Cluster) -> None:
    said = pki.subject(certificates.cert(layout, "kubelet-client").read_bytes())
    assert (said.common_name, said.organizations) == (API_SERVER, ())
    bound = [one.obj for one in rbac.wanted() if one.kind is kinds.CLUSTER_ROLE_BINDING]
    roles = {one.role_ref.name for one in bound for subject in one.subjects if subject.name == API_SERVER}
    assert roles == {"system:kubelet-api-admin"}, "and so do agents that ask who may do what"


def test_an_old_certificate_of_a_master_is_made_again(layout: Layout, settings: Cluster) -> None:
    ca = pki.load_pair(certificates.cert(layout, "ca"), certificates.key(layout, "ca"))
    old = pki.issue(ca, API_SERVER, ["system:masters"], client=True)
    old.save(certificates.cert(layout, "kubelet-client"), certificates.key(layout, "kubelet-client"))
    assert [want.name for want in certificates.missing(settings, layout)] == ["kubelet-client"]


def test_a_certificate_for_another_address_is_made_again(layout: Layout, settings: Cluster) -> None:
    moved = cluster.decide(Wishes(), "one", "192.0.2.9", systemd=False)
    assert {want.name for want in certificates.missing(moved, layout)} == {"apiserver", "agent-serving"}
    certificates.make(moved, layout)
    said = pki.subject(certificates.cert(layout, "apiserver").read_bytes())
    assert "192.0.2.9" in said.ips
    assert "10.96.0.1" in said.ips
    assert certificates.complete(moved, layout)
