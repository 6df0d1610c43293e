"""What the runtime is told of pods: variables, names, mounts, users."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.core_v1 import (
    Capabilities,
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    ContainerPort,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    HostAlias,
    Lifecycle,
    ObjectFieldSelector,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    ResourceFieldSelector,
    ResourceRequirements,
    SeccompProfile,
    Secret,
    SecretKeySelector,
    SecurityContext,
    SELinuxOptions,
    Sysctl,
    VolumeMount,
)
from nodeagent.cri.port import SeenImage
from nodeagent.plan import qos
from nodeagent.render.container import ContainerInputs, build_container, build_resources, pod_directory
from nodeagent.render.environment import build_environment, expand, service_variables
from nodeagent.render.fields import format_map
from nodeagent.render.mounts import Place
from nodeagent.render.network import hosts_file, kernel_hostname, parse_resolv_conf, resolv_conf
from nodeagent.render.references import references
from nodeagent.render.sandbox import build_sandbox
from nodeagent.render.settings import ConfigProblem, ResolvConf, ServiceLink, Sources
from nodeagent.sync.host_files import write_hosts
from proto import cri_v1_pb2 as pb
from tests.unit.nodeagent.pods import NODE, pod

IPS = ("10.0.0.5", "fd00::5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$(A)$(B)", "12"),
        ("x$(A)y", "x1y"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NONE)", "$(NONE)"),
        ("$(A", "$(A"),
        ("$A", "$A"),
        ("$", "$"),
        ("$()", "$()"),
        ("100$", "100$"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def environment(
    sources: Sources | None = None, *variables: EnvVar, origins: tuple[EnvFromSource, ...] = (), **spec: Any
) -> dict[str, str]:
    wanted = pod("a", enable_service_links=False, **spec)
    wanted.metadata.labels = {"app": "web", "b": 'q"'}
    wanted.spec.containers[0].env = list(variables)
    wanted.spec.containers[0].env_from = list(origins)
    wanted.spec.containers[0].resources = ResourceRequirements(requests={"cpu": "250m"}, limits={"memory": "64Mi"})
    return build_environment(wanted, wanted.spec.containers[0], sources or Sources(), IPS, NODE)


def field(path: str) -> EnvVarSource:
    return EnvVarSource(field_ref=ObjectFieldSelector(field_path=path))


def test_variables_refer_to_those_before_them() -> None:
    found = environment(
        None, EnvVar(name="A", value="1"), EnvVar(name="B", value="$(A)2 $(C)"), EnvVar(name="C", value="3")
    )
    assert found == {"A": "1", "B": "12 $(C)", "C": "3"} and list(found) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "n1"),
        ("status.podIP", "10.0.0.5"),
        ("status.podIPs", "10.0.0.5,fd00::5"),
        ("status.hostIP", "192.0.2.1"),
        ("metadata.labels", 'app="web"\nb="q\\""'),
    ],
)
def test_fields_of_the_pod(path: str, expected: str) -> None:
    assert environment(None, EnvVar(name="F", value_from=field(path)))["F"] == expected


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("requests.cpu", None, "1"),
        ("requests.cpu", "1m", "250"),
        ("limits.memory", None, str(64 << 20)),
        ("limits.memory", "1Mi", "64"),
        ("limits.memory", "1Gi", "1"),
        ("limits.cpu", None, "2"),
        ("requests.memory", "1Mi", "64"),
    ],
)
def test_resources(resource: str, divisor: str | None, expected: str) -> None:
    source = EnvVarSource(resource_field_ref=ResourceFieldSelector(resource=resource, divisor=divisor))
    assert environment(None, EnvVar(name="R", value_from=source))["R"] == expected


SOURCES = Sources(
    {"cm": ConfigMap(data={"k": "v", "n.o": "2"})},
    {"s": Secret(data={"p": b"hush"})},
)


def test_config_maps_and_secrets() -> None:
    from_map = EnvFromSource(prefix="X_", config_map_ref=ConfigMapEnvSource(name="cm"))
    key = EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="cm", key="k"))
    secret = EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="p"))
    absent = EnvVarSource(secret_key_ref=SecretKeySelector(name="none", key="p", optional=True))
    found = environment(
        SOURCES,
        EnvVar(name="K", value_from=key),
        EnvVar(name="S", value_from=secret),
        EnvVar(name="X_k", value="over"),
        EnvVar(name="GONE", value_from=absent),
        origins=(from_map,),
    )
    assert found == {"X_n.o": "2", "K": "v", "S": "hush", "X_k": "over"}


PROBLEMS: list[tuple[EnvVarSource, str]] = [
    (EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="none", key="k")), 'configmap "none" not found'),
    (
        EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="cm", key="x")),
        "couldn't find key x in ConfigMap ns/cm",
    ),
    (EnvVarSource(secret_key_ref=SecretKeySelector(name="none", key="k")), 'secret "none" not found'),
    (EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="x")), "couldn't find key x in Secret ns/s"),
    (field("spec.none"), "unsupported fieldPath: spec.none"),
    (EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="x")), "unsupported container resource : x"),
]


@pytest.mark.parametrize(("source", "message"), PROBLEMS)
def test_what_is_missing_is_named(source: EnvVarSource, message: str) -> None:
    with pytest.raises(ConfigProblem, match=f"^{message}$".replace("(", r"\(")):
        environment(SOURCES, EnvVar(name="V", value_from=source))


def test_services_in_variables() -> None:
    services = [
        ServiceLink("default", "kubernetes", "10.96.0.1", (("https", 443, "TCP"),)),
        ServiceLink("ns", "my-db", "10.96.0.9", (("sql", 5432, "TCP"), ("x", 53, "UDP"))),
        ServiceLink("other", "far", "10.96.0.8", (("", 80, "TCP"),)),
    ]
    found = service_variables("ns", True, services)
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.1" and found["KUBERNETES_PORT"] == "tcp://10.96.0.1:443"
    assert found["MY_DB_SERVICE_PORT"] == "5432" and found["MY_DB_SERVICE_PORT_X"] == "53"
    assert found["MY_DB_PORT_53_UDP"] == "udp://10.96.0.9:53" and found["MY_DB_PORT_53_UDP_ADDR"] == "10.96.0.9"
    assert not [name for name in found if "FAR" in name]
    assert set(service_variables("ns", False, services)) == {name for name in found if name.startswith("KUBERNETES")}


def test_maps_as_text() -> None:
    assert format_map({"b": "2\n3", "a": 'x"y\\'}) == 'a="x\\"y\\\\"\nb="2\\n3"'


def test_a_hosts_file_of_any_bytes_is_handed_on(tmp_path: Path) -> None:
    host, node = tmp_path / "hosts", replace(NODE, root_dir=str(tmp_path))
    host.write_bytes(b"127.0.0.1 caf\xe9\n")
    Path(pod_directory("u", node)).mkdir(parents=True)
    written = Path(write_hosts(pod("a", host_network=True), IPS, node, host))
    assert written.read_bytes().endswith(b"127.0.0.1 caf\xe9\n") and written.stat().st_mode & 0o777 == 0o644


def test_hosts_files() -> None:
    wanted = pod("a", hostname="web", subdomain="svc", host_aliases=[HostAlias(ip="1.2.3.4", hostnames=["x", "y"])])
    text = hosts_file(wanted, IPS, NODE, "")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.5\tweb.svc.ns.svc.cluster.local\tweb\n" in text and "1.2.3.4\tx\ty\n" in text
    shared = hosts_file(pod("a", host_network=True), IPS, NODE, "127.0.0.1 me\n")
    assert shared == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"


def test_host_names() -> None:
    assert kernel_hostname(pod("a", hostname="web", subdomain="s"), NODE) == "web"
    assert (
        kernel_hostname(pod("a", hostname="web", subdomain="s", set_hostname_as_fqdn=True), NODE)
        == "web.s.ns.svc.cluster.local"
    )
    long = pod("a")
    long.metadata.name = "x" * 62 + "-y"
    assert kernel_hostname(long, NODE) == "x" * 62


CLUSTER = ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org")
DNS: list[tuple[dict[str, Any], ResolvConf]] = [
    ({}, ResolvConf(("10.96.0.10",), CLUSTER, ("ndots:5",))),
    ({"dns_policy": "Default"}, NODE.resolv_conf),
    ({"host_network": True}, NODE.resolv_conf),
    (
        {"host_network": True, "dns_policy": "ClusterFirstWithHostNet"},
        ResolvConf(("10.96.0.10",), CLUSTER, ("ndots:5",)),
    ),
    (
        {
            "dns_policy": "None",
            "dns_config": PodDNSConfig(
                nameservers=["1.1.1.1"], searches=["x"], options=[PodDNSConfigOption("ndots", "2")]
            ),
        },
        ResolvConf(("1.1.1.1",), ("x",), ("ndots:2",)),
    ),
    (
        {"dns_config": PodDNSConfig(options=[PodDNSConfigOption("ndots", "1"), PodDNSConfigOption("edns0")])},
        ResolvConf(("10.96.0.10",), CLUSTER, ("ndots:1", "edns0")),
    ),
]


@pytest.mark.parametrize(("spec", "expected"), DNS)
def test_resolvers(spec: dict[str, Any], expected: ResolvConf) -> None:
    assert resolv_conf(pod("a", **spec), NODE) == expected


def test_the_hosts_resolver() -> None:
    text = "# c\nnameserver 1.1.1.1\nnameserver 2.2.2.2\nsearch a.b. c\noptions edns0 trust-ad\n;x\nbogus\n"
    assert parse_resolv_conf(text) == ResolvConf(("1.1.1.1", "2.2.2.2"), ("a.b", "c"), ("edns0", "trust-ad"))


def test_a_sandbox() -> None:
    context = PodSecurityContext(run_as_user=7, fs_group=9, supplemental_groups=[8], sysctls=[Sysctl("kernel.x", "1")])
    wanted = pod("a", host_pid=True, security_context=context)
    wanted.metadata.labels = {"app": "x"}
    wanted.spec.containers[0].ports = [
        ContainerPort(container_port=53, host_port=5353, protocol="UDP", host_ip="1.2.3.4")
    ]
    config = build_sandbox(wanted, 2, "/kubepods/podu", NODE)
    assert config.metadata.attempt == 2 and config.hostname == "p" and config.log_directory == "/logs/ns_p_u"
    assert config.labels["app"] == "x" and config.labels["io.kubernetes.pod.uid"] == "u"
    [port] = config.port_mappings
    assert (port.protocol, port.container_port, port.host_port, port.host_ip) == (pb.UDP, 53, 5353, "1.2.3.4")
    security = config.linux.security_context
    assert security.namespace_options.pid == pb.NODE and security.namespace_options.network == pb.POD
    assert security.run_as_user.value == 7 and list(security.supplemental_groups) == [9, 8]
    assert dict(config.linux.sysctls) == {"kernel.x": "1"} and config.linux.cgroup_parent == "/kubepods/podu"


def build(wanted: Any, image: SeenImage | None = None, **inputs: Any) -> pb.ContainerConfig:
    given = ContainerInputs(1, image or SeenImage("sha256:x"), {"A": "1"}, inputs.pop("volumes", {}), **inputs)
    return build_container(wanted, wanted.spec.containers[0], given, NODE)


def test_what_all_groups_of_version_2_have() -> None:
    assert not build(pod("a")).linux.resources.unified
    wanted = pod("a")
    node = replace(NODE, unified=qos.unified_files(swap=True))
    made = build_resources(wanted, wanted.spec.containers[0], node)
    assert dict(made.unified) == {"memory.oom.group": "1", "memory.swap.max": "0"}
    assert qos.unified_files(swap=False) == {"memory.oom.group": "1"}


def test_a_container() -> None:
    wanted = pod("a")
    spec = wanted.spec.containers[0]
    spec.command, spec.args, spec.working_dir = ["run", "$(A)"], ["$(B)"], "/w"
    spec.volume_mounts = [VolumeMount(name="v", mount_path="/v", read_only=True, mount_propagation="HostToContainer")]
    spec.termination_message_path = "/dev/termination-log"
    spec.lifecycle = Lifecycle(stop_signal="SIGRTMIN+3")
    config = build(wanted, volumes={"v": Place("/host/v")}, hosts_file="/agent/hosts")
    assert (list(config.command), list(config.args), config.working_dir) == (["run", "1"], ["$(B)"], "/w")
    assert config.image.image == "sha256:x" and config.image.user_specified_image == "i"
    assert config.log_path == "a/1.log" and config.metadata.attempt == 1
    assert [(m.host_path, m.container_path, m.readonly) for m in config.mounts] == [
        ("/host/v", "/v", True),
        ("/agent/hosts", "/etc/hosts", False),
        ("/agent/pods/u/containers/a/1", "/dev/termination-log", False),
    ]
    assert config.mounts[0].propagation == pb.PROPAGATION_HOST_TO_CONTAINER
    assert config.stop_signal == pb.SIGRTMINPLUS3 and config.envs[0].value == b"1"
    assert config.linux.resources.oom_score_adj == 1000 and config.linux.resources.cpu_shares == 2
    security = config.linux.security_context
    assert security.run_as_user.value == 0 and security.seccomp.profile_type == pb.SecurityProfile.Unconfined
    assert "/proc/kcore" in security.masked_paths


def test_security_contexts() -> None:
    SeccompProfile(type="RuntimeDefault")
    wanted = pod(
        "a",
        security_context=PodSecurityContext(
            run_as_user=5, run_as_group=6, seccomp_profile=SeccompProfile(type="RuntimeDefault")
        ),
    )
    wanted.spec.containers[0].security_context = SecurityContext(
        run_as_user=8,
        privileged=True,
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        proc_mount="Unmasked",
        capabilities=Capabilities(add=["NET_ADMIN"], drop=["ALL"]),
    )
    security = build(wanted).linux.security_context
    assert security.run_as_user.value == 8 and security.run_as_group.value == 6
    assert security.privileged and security.readonly_rootfs and security.no_new_privs and not security.masked_paths
    assert list(security.capabilities.add_capabilities) == ["NET_ADMIN"]
    assert security.seccomp.profile_type == pb.SecurityProfile.RuntimeDefault


@pytest.mark.parametrize(
    ("context", "image", "problem"),
    [
        (
            SecurityContext(run_as_non_root=True),
            SeenImage("x"),
            r'image will run as root \(pod: "p_ns\(u\)", container: a\)',
        ),
        (SecurityContext(run_as_non_root=True), SeenImage("x", username="web"), "non-numeric user"),
        (SecurityContext(run_as_non_root=True, run_as_user=0), SeenImage("x", uid=9), "breaks non-root policy"),
        (SecurityContext(run_as_non_root=True), SeenImage("x", uid=9), ""),
        (SecurityContext(run_as_non_root=True, run_as_user=3), SeenImage("x"), ""),
        (
            SecurityContext(seccomp_profile=SeccompProfile(type="Localhost")),
            SeenImage("x"),
            "localhostProfile must be set",
        ),
    ],
)
def test_root_is_refused_where_it_should_be(context: SecurityContext, image: SeenImage, problem: str) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].security_context = context
    if problem:
        with pytest.raises(ConfigProblem, match=problem):
            build(wanted, image)
    else:
        build(wanted, image)


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        (VolumeMount(name="none", mount_path="/v"), 'cannot find volume "none"'),
        (VolumeMount(name="v", mount_path="/v", mount_propagation="Up"), 'invalid MountPropagation mode: "Up"'),
        (VolumeMount(name="v", mount_path="/v", recursive_read_only="Enabled"), "but it is not read-only"),
        (
            VolumeMount(name="v", mount_path="/v", read_only=True, recursive_read_only="Enabled"),
            "not supported by the runtime",
        ),
        (
            VolumeMount(
                name="v",
                mount_path="/v",
                read_only=True,
                recursive_read_only="Enabled",
                mount_propagation="HostToContainer",
            ),
            'not compatible with propagation "HostToContainer"',
        ),
    ],
)
def test_mounts_that_cannot_be(mount: VolumeMount, problem: str) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].volume_mounts = [mount]
    with pytest.raises(ConfigProblem, match=problem):
        build(wanted, volumes={"v": Place("/v")})


def test_unknown_stop_signals() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].lifecycle = Lifecycle(stop_signal="SIGFOO")
    with pytest.raises(ConfigProblem, match="unknown stop signal SIGFOO"):
        build(wanted)


def test_what_a_pod_refers_to() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].env_from = [EnvFromSource(config_map_ref=ConfigMapEnvSource(name="cm"))]
    source = EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="p"))
    wanted.spec.containers[0].env = [EnvVar(name="X", value_from=source)]
    assert references(wanted) == {("ConfigMap", "cm"), ("Secret", "s")}


def test_labels_for_selinux_are_passed_on() -> None:
    labels = SELinuxOptions(user="u", role="r", type="t", level="s0:c1")
    wanted = pod("a", "b", security_context=PodSecurityContext(se_linux_options=labels))
    wanted.spec.containers[0].security_context = SecurityContext(se_linux_options=SELinuxOptions(level="s0:c2"))
    assert build(wanted).linux.security_context.selinux_options == pb.SELinuxOption(level="s0:c2")
    whole = pb.SELinuxOption(user="u", role="r", type="t", level="s0:c1")
    sandbox = build_sandbox(wanted, 0, "/group", NODE)
    assert sandbox.linux.security_context.selinux_options == whole
    wanted.spec.containers.pop(0)
    assert build(wanted).linux.security_context.selinux_options == whole


def test_who_asks_for_no_huge_pages_gets_none() -> None:
    node = replace(NODE, allocatable={"hugepages-2Mi": "64Mi", "hugepages-1Gi": "0", "hugepages-64Ki": "0", "cpu": "2"})
    wanted = pod("a")
    container = wanted.spec.containers[0]

    def limits() -> dict[str, int]:
        found = build_resources(wanted, container, node).hugepage_limits
        return {one.page_size: one.limit for one in found}

    assert limits() == {"1GB": 0, "2MB": 0, "64KB": 0}
    wanted.spec.resources = ResourceRequirements(limits={"hugepages-2Mi": "8Mi"})
    assert limits()["2MB"] == 8 << 20
    container.resources = ResourceRequirements(limits={"hugepages-2Mi": "4Mi", "memory": "1Gi"})
    assert limits() == {"1GB": 0, "2MB": 4 << 20, "64KB": 0}
