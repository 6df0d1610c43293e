"""Handlers, user namespaces, AppArmor, variables from files, names that are too long, how failures are told."""

from pathlib import Path
from typing import Any

import pytest

from api import kinds
from api.core_v1 import (
    AppArmorProfile,
    Container,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    NodeStatus,
    PodDNSConfig,
    PodSecurityContext,
    SecurityContext,
)
from api.meta_v1 import ObjectMeta
from api.node_v1 import RuntimeClass
from client.client import Client
from client.fake.transport import FakeTransport
from kit.clock import FakeClock
from nodeagent.cri import convert
from nodeagent.cri.errors import Refused, RuntimeFault
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import Handler, RuntimeStatus, SeenImage
from nodeagent.images.puller import explain
from nodeagent.model.memory import BackoffPolicy, Held
from nodeagent.render.env_file import EnvFileProblem, read_variable
from nodeagent.render.environment import build_environment
from nodeagent.render.network import check_fqdn, omitted, resolv_conf
from nodeagent.render.security import build_security
from nodeagent.render.settings import ConfigProblem, Sources
from nodeagent.report.node_status import tell_runtime
from nodeagent.sources.runtime_classes import RuntimeClasses
from nodeagent.sync.users import LENGTH, apply_ids, first_id
from proto import cri_v1_pb2 as pb
from tests.unit.nodeagent.pods import NODE, pod


async def test_runtime_classes() -> None:
    clock = FakeClock()
    runtime, client = FakeRuntime(clock), Client(FakeTransport(clock))
    await client.create(kinds.RUNTIME_CLASS, RuntimeClass(metadata=ObjectMeta(name="safe"), handler="kata"))
    classes = RuntimeClasses(runtime, client)
    assert await classes.handler(pod("a")) == ""
    assert await classes.handler(pod("a", runtime_class_name="safe")) == "kata"
    with pytest.raises(Refused) as caught:
        await classes.handler(pod("a", runtime_class_name="none"))
    assert caught.value.spoken == 'runtimeclass.node.k8s.io "none" not found'
    with pytest.raises(Refused) as caught:
        await classes.handler(pod("a", host_users=False))
    assert caught.value.spoken == "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
    with pytest.raises(Refused) as caught:
        await classes.handler(pod("a", host_users=False, runtime_class_name="safe"))
    assert 'RuntimeClass handler "kata" does not support user namespaces' in caught.value.spoken
    with pytest.raises(Refused):
        await RuntimeClasses(runtime).handler(pod("a", runtime_class_name="safe"))


def test_what_a_runtime_can_do() -> None:
    answer = pb.StatusResponse()
    answer.runtime_handlers.add(name="runc").features.user_namespaces = True
    answer.features.supplemental_groups_policy = True
    found = convert.status(answer)
    assert found.handlers == (Handler("runc", user_namespaces=True),) and found.strict_groups is True
    status = NodeStatus()
    tell_runtime(status, found)
    assert status.runtime_handlers[0].features is not None and status.runtime_handlers[0].features.user_namespaces
    assert status.features is not None and status.features.supplemental_groups_policy
    old = NodeStatus()
    tell_runtime(old, RuntimeStatus(True, True))
    assert old.runtime_handlers == [] and old.features is None


def test_ids_of_pods(tmp_path: Path) -> None:
    first, second = first_id(str(tmp_path), "u1"), first_id(str(tmp_path), "u2")
    assert (first, second) == (LENGTH, 2 * LENGTH) and first_id(str(tmp_path), "u1") == first
    options = pb.NamespaceOption()
    apply_ids(options, second)
    [mapping] = options.userns_options.uids
    assert (mapping.host_id, mapping.container_id, mapping.length) == (second, 0, LENGTH)


PROFILES: list[tuple[Any, Any, dict[str, str], Any, str]] = [
    (None, None, {}, None, ""),
    (None, AppArmorProfile(type="RuntimeDefault"), {}, pb.SecurityProfile.RuntimeDefault, "runtime/default"),
    (AppArmorProfile(type="Unconfined"), AppArmorProfile(type="RuntimeDefault"), {}, 1, "unconfined"),
    (AppArmorProfile(type="Localhost", localhost_profile="x"), None, {}, 2, "localhost/x"),
    (None, None, {"container.apparmor.security.beta.kubernetes.io/a": "localhost/y"}, 2, "localhost/y"),
]


@pytest.mark.parametrize(("own", "whole", "notes", "kind", "old"), PROFILES)
def test_apparmor(own: Any, whole: Any, notes: dict[str, str], kind: Any, old: str) -> None:
    wanted = pod("a", security_context=PodSecurityContext(app_armor_profile=whole))
    wanted.metadata.annotations = notes
    container = wanted.spec.containers[0]
    container.security_context = SecurityContext(app_armor_profile=own)
    security = build_security(wanted, container, SeenImage("i"), "/seccomp")
    assert security.HasField("apparmor") == (kind is not None) and security.apparmor_profile == old
    assert kind is None or security.apparmor.profile_type == kind


@pytest.mark.parametrize(
    ("default", "privileged", "expected"),
    [
        (True, False, pb.SecurityProfile.RuntimeDefault),
        (True, True, pb.SecurityProfile.Unconfined),
        (False, False, pb.SecurityProfile.Unconfined),
    ],
)
def test_the_usual_seccomp_profile(default: bool, privileged: bool, expected: Any) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].security_context = SecurityContext(privileged=privileged)
    security = build_security(wanted, wanted.spec.containers[0], SeenImage("i"), "/s", default)
    assert security.seccomp.profile_type == expected


FILE = "# comment\n\n A='1'\nB='two\nlines' # more\nC= 'x'\nD=''\n"


@pytest.mark.parametrize(("name", "value"), [("A", "1"), ("B", "two\nlines"), ("C", ""), ("D", ""), ("none", "")])
def test_variables_in_files(name: str, value: str) -> None:
    assert read_variable(FILE, name) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A", "at line 1: missing '='"),
        ("='1'", "at line 1: empty variable name"),
        ("X='1'\nA ='1'", "at line 2: whitespace before '=' is not allowed"),
        ("A=1", "at line 1: value must be enclosed in single quotes"),
        ("A='1' 2", "at line 1: unexpected content after closing quote"),
        ("A='1\n2", "starting at line 1: unclosed single quote"),
    ],
)
def test_files_that_cannot_be_read(text: str, problem: str) -> None:
    with pytest.raises(EnvFileProblem, match=problem):
        read_variable(text, "A")


def test_variables_from_files() -> None:
    def asking(key: str, optional: bool = False, path: str = "env") -> Container:
        source = EnvVarSource(file_key_ref=FileKeySelector(volume_name="v", path=path, key=key, optional=optional))
        return Container(name="a", image="i", env=[EnvVar(name="X", value_from=source)])

    sources = Sources(files={("v", "env"): FILE})
    assert build_environment(pod("a"), asking("A"), sources, (), NODE) == {"X": "1"}
    assert build_environment(pod("a"), asking("none", True), sources, (), NODE) == {}
    with pytest.raises(ConfigProblem, match='environment variable key "none" not found in file "env"'):
        build_environment(pod("a"), asking("none"), sources, (), NODE)
    with pytest.raises(ConfigProblem, match="couldn't parse env file"):
        build_environment(pod("a"), asking("A", path="gone"), sources, (), NODE)


def test_names_that_are_too_long() -> None:
    wanted = pod("a", hostname="h" * 50, subdomain="s", set_hostname_as_fqdn=True)
    with pytest.raises(ConfigProblem) as caught:
        check_fqdn(wanted, NODE)
    name = "h" * 50 + ".s.ns.svc.cluster.local"
    assert str(caught.value) == (
        f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long "
        f"(64 characters is the max, {len(name)} characters requested)"
    )
    wanted.spec.set_hostname_as_fqdn = False
    check_fqdn(wanted, NODE)


def test_what_resolvers_cannot_take() -> None:
    config = PodDNSConfig(nameservers=["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"], searches=["x" * 254, "y"])
    wanted = pod("a", dns_policy="None", dns_config=config)
    assert resolv_conf(wanted, NODE).searches == ("y",)
    assert omitted(wanted, NODE) == [
        (
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            "1.1.1.1 2.2.2.2 3.3.3.3"
        ),
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: y",
    ]
    assert omitted(pod("a"), NODE) == []


def test_how_failures_are_told() -> None:
    assert RuntimeFault("x", "y", "no", "NotFound").spoken == "rpc error: code = NotFound desc = no"
    assert RuntimeFault("x", "y", "no").spoken == "no"
    assert explain("i", "plain") == ("ErrImagePull", "plain")
    assert explain("i", "RegistryUnavailable: down") == (
        "RegistryUnavailable",
        "image pull failed for i because the registry is unavailable: down",
    )


def test_when_a_back_off_is_forgotten() -> None:
    held, usual, quick = Held(40, 1000.0), BackoffPolicy(), BackoffPolicy(1, 60)
    assert held.until(1500.0, usual) == 1540.0 and held.until(1500.0, quick) == 0.0
    assert held.after(1500.0, usual).delay == 80 and held.after(1500.0, quick).delay == 1
