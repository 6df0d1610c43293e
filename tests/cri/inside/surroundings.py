"""Scenes: what a container finds around it: namespaces, names, resolvers, variables, and what it may do."""

import re
from pathlib import Path
from typing import Any

from api import codec, kinds
from api.core_v1 import ConfigMap, Pod, Secret, Service, ServicePort, ServiceSpec
from api.meta_v1 import ObjectMeta
from tests.cri.inside.basics import state_of
from tests.cri.stage import DEMO, Stage, make_pod

CAP_NET_BIND_SERVICE, CAP_CHOWN, CAP_SYS_ADMIN = 10, 0, 21


async def _runs(stage: Stage, name: str, *containers: dict[str, Any], **spec: Any) -> Pod:
    """A pod in the words of a manifest, as soon as it runs. Its containers do nothing."""
    nothing = {"image": DEMO, "command": ["sleep", "1000"]}
    given = [{"name": f"c{number}", **nothing, **one} for number, one in enumerate(containers)]
    made = codec.from_dict(kinds.POD, {"spec": {"containers": given, **spec}}).spec
    pod = make_pod(name)
    made.termination_grace_period_seconds = 1
    pod.spec = made
    await stage.create(pod)
    return await stage.phase(name, "Running")


async def _asked(stage: Stage, pod: Pod, container: str, *command: str) -> str:
    """What a command in a container prints."""
    ident = state_of(pod, container).container_id.partition("//")[2]
    return (await stage.run(ident, *command)).decode()


async def _namespaces(stage: Stage, pod: Pod, container: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+):\[(\d+)\]", await _asked(stage, pod, container, "ls", "-l", "/proc/self/ns")))


def _same(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in ("ipc", "net", "pid", "uts") if one[name] == other[name]}


async def namespaces(stage: Stage) -> None:
    """Containers share with each other, and with the host, what their pod says, and nothing else."""
    links = [str(entry.readlink()) for entry in Path("/proc/self/ns").iterdir()]
    host = dict(re.findall(r"(\w+):\[(\d+)\]", "\n".join(links)))
    apart = await _runs(stage, "apart", {}, {})
    first, second = [await _namespaces(stage, apart, name) for name in ("c0", "c1")]
    assert (_same(first, second), _same(first, host)) == ({"ipc", "net", "uts"}, set()), (first, second, host)
    together = await _runs(stage, "together", {}, {}, shareProcessNamespace=True)
    first, second = [await _namespaces(stage, together, name) for name in ("c0", "c1")]
    assert (_same(first, second), _same(first, host)) == ({"ipc", "net", "pid", "uts"}, set()), (first, second, host)
    open_pod = await _runs(stage, "open", {}, hostPID=True, hostIPC=True, hostNetwork=True)
    assert _same(await _namespaces(stage, open_pod, "c0"), host) == {"ipc", "net", "pid", "uts"}


async def names_and_resolvers(stage: Stage) -> None:
    """Host name, domain, aliases and resolvers are those of the pod's spec."""
    aliases = [{"ip": "192.0.2.77", "hostnames": ["one", "two"]}]
    dns = {
        "nameservers": ["192.0.2.53"],
        "searches": ["here.example"],
        "options": [{"name": "ndots", "value": "3"}, {"name": "edns0"}],
    }
    pod = await _runs(
        stage,
        "named",
        {},
        hostname="me",
        subdomain="family",
        setHostnameAsFQDN=True,
        hostAliases=aliases,
        dnsPolicy="None",
        dnsConfig=dns,
    )
    full = "me.family.default.svc.cluster.local"
    assert await _asked(stage, pod, "c0", "hostname") == f"{full}\n"
    hosts = (await _asked(stage, pod, "c0", "cat", "/etc/hosts")).splitlines()
    assert f"{pod.status.pod_ip}\t{full}\tme" in hosts and "192.0.2.77\tone\ttwo" in hosts, hosts
    resolvers = (await _asked(stage, pod, "c0", "cat", "/etc/resolv.conf")).splitlines()
    assert sorted(resolvers) == ["nameserver 192.0.2.53", "options ndots:3 edns0", "search here.example"], resolvers


async def variables(stage: Stage) -> None:
    """Whole ConfigMaps and Secrets, Services, fields and amounts; later ones win, and arguments refer to them."""
    about = [ObjectMeta(name=name, namespace="default") for name in ("words", "hidden", "db")]
    await stage.client.create(kinds.CONFIG_MAP, ConfigMap(metadata=about[0], data={"ONE": "1", "TWO": "2"}))
    await stage.client.create(kinds.SECRET, Secret(metadata=about[1], data={"KEY": b"k"}))
    service = ServiceSpec(cluster_ip="10.96.0.7", ports=[ServicePort(port=5432)])
    await stage.client.create(kinds.SERVICE, Service(metadata=about[2], spec=service))
    amount = {"resource": "limits.memory", "divisor": "1Mi"}
    container = {
        "envFrom": [{"configMapRef": {"name": "words"}}, {"prefix": "MY_", "secretRef": {"name": "hidden"}}],
        "env": [
            {"name": "TWO", "value": "two"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "LIMIT", "valueFrom": {"resourceFieldRef": amount}},
            {"name": "WHERE", "value": "$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)"},
        ],
        "command": ["sh", "-c", "echo $0; sleep 1000", "$(MY_KEY)-$$(MY_KEY)"],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    pod = await _runs(stage, "reader", container, enableServiceLinks=True)
    await stage.says(pod, "c0", "k-$(MY_KEY)")
    found = (await _asked(stage, pod, "c0", "env")).splitlines()
    wanted = {"ONE=1", "TWO=two", "MY_KEY=k", "NODE=n1", "LIMIT=64", "WHERE=10.96.0.7:5432"}
    assert wanted <= set(found), found
    alone = await _runs(stage, "alone", {}, enableServiceLinks=False)
    assert "DB_SERVICE_HOST" not in await _asked(stage, alone, "c0", "env")


async def _status(stage: Stage, pod: Pod, container: str) -> dict[str, str]:
    """What the kernel says of the container's own process, once that is what it is to be."""

    async def begun() -> dict[str, str]:
        lines = (await _asked(stage, pod, container, "cat", "/proc/1/status")).splitlines()
        found = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert found["Name"] == "sleep", found
        return found

    status: dict[str, str] = await stage.until_async(begun, f"{container} is what it is to be")
    return status


def _rights(status: dict[str, str]) -> set[int]:
    bits = int(status["CapEff"], 16)
    return {number for number in range(64) if bits >> number & 1}


async def rights(stage: Stage) -> None:
    """Capabilities, system calls and what of /proc is hidden: as containers say, else as is usual."""
    pod = await _runs(
        stage,
        "rights",
        {},
        {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}},
        {"securityContext": {"privileged": True}},
        {"securityContext": {"allowPrivilegeEscalation": False, "seccompProfile": {"type": "Unconfined"}}},
    )
    usual, few, all_of_them, plain = [await _status(stage, pod, f"c{number}") for number in range(4)]
    assert CAP_CHOWN in _rights(usual) and CAP_SYS_ADMIN not in _rights(usual), usual
    assert _rights(few) == {CAP_NET_BIND_SERVICE}, few
    assert CAP_SYS_ADMIN in _rights(all_of_them), all_of_them
    assert [one["NoNewPrivs"] for one in (usual, plain)] == ["0", "1"]
    filters = [int(one["Seccomp_filters"]) for one in (usual, plain)]
    assert filters[0] == filters[1] + 1, "the runtime's own profile, unless another is asked for"
    for container, hidden in (("c0", True), ("c2", False)):
        mounts = (await _asked(stage, pod, container, "cat", "/proc/1/mountinfo")).splitlines()
        assert (" /proc/sys " in "\n".join(mounts)) == hidden, (container, mounts)


async def users_and_settings(stage: Stage) -> None:
    """Users and groups of pod and container; a setting of the kernel that is the pod's own."""
    pod = await _runs(
        stage,
        "users",
        {"securityContext": {"runAsUser": 1001, "runAsNonRoot": True}},
        {},
        securityContext={
            "runAsUser": 1000,
            "runAsGroup": 3000,
            "fsGroup": 2000,
            "supplementalGroups": [4000],
            "sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}],
        },
    )
    for container, user in (("c0", "1001"), ("c1", "1000")):
        status = await _status(stage, pod, container)
        assert (status["Uid"].split()[0], status["Gid"].split()[0]) == (user, "3000"), status
        assert set(status["Groups"].split()) == {"2000", "3000", "4000"}, status
    setting = "/proc/sys/kernel/shm_rmid_forced"
    assert await _asked(stage, pod, "c0", "cat", setting) == "1\n"
