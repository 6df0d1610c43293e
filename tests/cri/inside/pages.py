"""Scenes: every page of the agent's API, and who may see it."""

import re
from pathlib import Path

import msgspec

from api.core_v1 import EmptyDirVolumeSource, ExecAction, Probe, ResourceRequirements, Volume, VolumeMount
from kit.http.client import HttpClient, Reply
from kit.http.tls import client_context
from tests.cri.inside.server import _client, _get
from tests.cri.stage import Stage, make_pod, shell


async def _token(stage: Stage, path: str, token: str = "") -> Reply:
    """Somebody without a certificate."""
    caller = HttpClient("127.0.0.1", 10250, client_context(verify=False))
    try:
        return await caller.request("GET", path, headers=[("Authorization", f"Bearer {token}")] if token else [])
    finally:
        await caller.close()


async def callers(stage: Stage) -> None:
    """Certificates, tokens, rights; what is refused is told as upstream tells it."""
    assert (await _get(stage, "/pods")).status == 200
    refused = await _get(stage, "/pods", "other")
    assert (refused.status, refused.body) == (
        403,
        b"Forbidden (user=somebody, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
    )
    assert (await _token(stage, "/pods")).status == 401
    assert (await _token(stage, "/pods", "wrong")).body == b"Unauthorized"
    assert (await _token(stage, "/pods", "janes")).status == 200
    assert (await _token(stage, "/metrics", "janes")).status == 200
    refused = await _token(stage, "/configz", "janes")
    assert (refused.status, refused.body) == (
        403,
        b"Forbidden (user=jane, verb=get, resource=nodes, subresource(s)=[configz proxy])\n",
    )
    assert (await _token(stage, "/containerLogs/a/b/c", "janes")).status == 403
    assert (await _token(stage, "/healthz")).status == 401 and (await _get(stage, "/healthz")).body == b"ok"


async def pages(stage: Stage) -> None:
    """Pods, numbers, configuration, as metrics collectors and people read them."""
    mounts = [VolumeMount(name="v", mount_path="/v")]
    limits = ResourceRequirements(limits={"cpu": "500m", "memory": "64Mi"})
    probe = Probe(exec=ExecAction(command=["true"]), period_seconds=1)
    main = shell("a", "dd if=/dev/zero of=/v/f bs=1024 count=300; sleep 1000", volume_mounts=mounts, resources=limits)
    main.readiness_probe = probe
    await stage.create(make_pod("web", main, volumes=[Volume(name="v", empty_dir=EmptyDirVolumeSource())]))
    await stage.phase("web", "Running")
    running = msgspec.json.decode((await _get(stage, "/runningpods/")).body)
    [pod] = running["items"]
    assert (pod["metadata"]["name"], [c["name"] for c in pod["spec"]["containers"]]) == ("web", ["a"])
    config = msgspec.json.decode((await _get(stage, "/configz")).body)["kubeletconfig"]
    assert config["containerLogMaxSize"] == "10Mi" and config["maxPods"] == 110
    assert (await _get(stage, "/logs/")).status == 405
    await stage.agrees(lambda: _summary(stage), "the summary is complete")
    await stage.agrees(lambda: _numbers(stage), "all numbers are there")
    caller = _client(stage)
    answer = await caller.request("POST", "/checkpoint/default/web/a")
    assert answer.status == 500 and answer.body.startswith(b"checkpointing of default/web/a failed ("), answer.body
    assert (await caller.request("POST", "/checkpoint/default/none/a")).body == b"pod does not exist"
    await caller.close()


async def _summary(stage: Stage) -> None:
    summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
    node, [pod] = summary["node"], summary["pods"]
    assert node["fs"]["capacityBytes"] > node["fs"]["usedBytes"] > 0 and node["runtime"]["imageFs"]["capacityBytes"] > 0
    assert {c["name"] for c in node["systemContainers"]} == {"pods", "kubelet"}
    assert node["rlimit"]["maxpid"] > node["rlimit"]["curproc"] > 0 and node["memory"]["availableBytes"] > 0
    assert pod["startTime"] and pod["network"]["interfaces"][0]["name"] == "eth0"
    [container], [volume] = pod["containers"], pod["volume"]
    assert container["startTime"] and container["rootfs"]["capacityBytes"] > 0 and container["logs"]["usedBytes"] > 0
    assert container["memory"]["availableBytes"] < 64 << 20 and container["cpu"]["usageCoreNanoSeconds"] > 0
    assert volume["name"] == "v" and 300 * 1024 <= volume["usedBytes"] < 600 * 1024
    assert pod["ephemeral-storage"]["usedBytes"] >= volume["usedBytes"]
    quick = msgspec.json.decode((await _get(stage, "/stats/summary?only_cpu_and_memory=true")).body)
    assert "volume" not in quick["pods"][0] and "fs" not in quick["node"]


async def _numbers(stage: Stage) -> None:
    text = (await _get(stage, "/metrics")).body.decode()
    assert (
        'kubelet_node_name{node="n1"} 1' in text and 'kubelet_running_containers{container_state="running"} 1' in text
    )
    assert re.search(r'kubelet_runtime_operations_total{operation_type="run_podsandbox"} [1-9]', text)
    assert re.search(
        r'kubelet_runtime_operations_duration_seconds_count{operation_type="create_container"} [1-9]', text
    )
    assert "process_resident_memory_bytes" in text
    text = (await _get(stage, "/metrics/cadvisor")).body.decode()
    labels = r'container="a",(cpu="total",)?id="/wherry/kubepods/burstable/pod[^"]*",image="[^"]+",name="[0-9a-f]{64}"'
    for name in (
        "cpu_usage_seconds_total",
        "memory_working_set_bytes",
        "memory_usage_bytes",
        "spec_memory_limit_bytes",
    ):
        assert re.search(rf'container_{name}{{{labels},namespace="default",pod="web"}} [1-9]|0\.\d+', text), (
            name,
            text,
        )
    assert re.search(r'container_network_receive_bytes_total{container="",.*interface="eth0",.*pod="web"}', text), text
    assert 'container_spec_cpu_quota{container="a"' in text and "machine_cpu_cores{" in text
    text = (await _get(stage, "/metrics/probes")).body.decode()
    assert re.search(r'prober_probe_total{container="a",.*probe_type="Readiness",result="successful"} \d', text), text


async def numbers_move(stage: Stage) -> None:
    """What dashboards ask for is there for a pod that works, and grows while it does; what ended is counted as such."""
    limits = ResourceRequirements(limits={"cpu": "200m", "memory": "64Mi"})
    busy = shell("busy", "wget -q -O /dev/null http://127.0.0.1:1/; while true; do true; done", resources=limits)
    await stage.create(make_pod("works", busy, init_containers=[shell("first", "exit 0")]))
    await stage.phase("works", "Running")
    before = await _samples(stage, "/metrics/cadvisor")
    work = 'container_cpu_usage_seconds_total{container="busy"'

    async def grown() -> None:
        now = await _samples(stage, "/metrics/cadvisor")
        for name in (work, 'container_cpu_cfs_periods_total{container="busy"', work.replace("usage", "user")):
            assert _sum(now, name) > _sum(before, name), name
        for name in (
            *("container_processes", "container_threads", "container_memory_rss", "container_file_descriptors"),
            *("container_spec_cpu_quota", "container_spec_memory_limit_bytes", "container_start_time_seconds"),
        ):
            assert _sum(now, f'{name}{{container="busy"') > 0, name
        for name in ("receive_packets", "transmit_packets", "receive_packets_dropped", "transmit_bytes"):
            assert any(s.startswith(f"container_network_{name}_total{{") and 'pod="works"' in s for s in now), name
        assert _sum(now, "machine_cpu_cores{") >= _sum(now, "machine_cpu_physical_cores{") > 0

    async def counted() -> None:
        now = await _samples(stage, "/metrics")
        for name in (
            'kubelet_started_containers_total{container_type="init_container"}',
            'kubelet_terminated_containers_total{container_type="init_container",exit_code="0",reason="Completed"}',
            'kubelet_cgroup_manager_duration_seconds_count{operation_type="create"}',
            'kubelet_pod_worker_duration_seconds_count{operation_type="create"}',
            *("kubelet_pod_start_duration_seconds_count", "kubelet_pod_start_total_duration_seconds_count"),
            *("kubelet_pod_start_sli_duration_seconds_count", "kubelet_pleg_relist_duration_seconds_count"),
            *("kubelet_pod_status_sync_duration_seconds_count", "kubelet_certificate_manager_server_ttl_seconds"),
            'kubelet_http_requests_total{long_running="false",method="GET",path="metrics/cadvisor",server_type="readwrite"}',
            *("process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"),
        ):
            assert now.get(name, 0) > 0, (name, sorted(now))

    async def summed() -> None:
        summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
        [pod] = summary["pods"]
        for what in (summary["node"], summary["node"]["systemContainers"][0], pod, pod["containers"][0]):
            assert what["io"]["time"] and what["swap"]["time"] and "cpu" in what and "memory" in what
            if Path("/sys/fs/cgroup/cgroup.controllers").exists() and Path("/proc/pressure").exists():
                assert what["cpu"]["psi"]["some"]["total"] >= 0

    await stage.agrees(grown, "the numbers of a container grow")
    await stage.agrees(counted, "the agent's own numbers are there")
    await stage.agrees(summed, "the summary tells what is new in it")


async def _samples(stage: Stage, path: str) -> dict[str, float]:
    """One scrape, without the times of samples."""
    lines = (await _get(stage, path)).body.decode().splitlines()
    parts = [line.rpartition("}") for line in lines if not line.startswith("#")]
    return {
        f"{head}{brace}".strip() or rest.split()[0]: float(rest.split()[0 if brace else 1])
        for head, brace, rest in parts
    }


def _sum(samples: dict[str, float], beginning: str) -> float:
    return sum(value for name, value in samples.items() if name.startswith(beginning))


async def plain_port(stage: Stage) -> None:
    """The plain port shows pods and numbers, and neither logs nor ways into containers."""
    caller = HttpClient("127.0.0.1", 10255)
    for path in ("/healthz", "/pods", "/metrics", "/stats/summary", "/metrics/cadvisor", "/metrics/resource"):
        assert (await caller.request("GET", path)).status == 200, path
    for path in ("/containerLogs/a/b/c", "/configz", "/runningpods/", "/logs/", "/exec/a/b/c", "/run/a/b/c"):
        assert (await caller.request("GET", path)).status == 404, path
    assert (await caller.request("POST", "/exec/a/b/c")).status == 405
    await caller.close()


plain_port.changes = {"read_only": "127.0.0.1:10255"}  # type: ignore[attr-defined]


async def system_logs(stage: Stage) -> None:
    """The machine's logs, where they are opened, and nothing else."""
    assert b'<a href="pods/">' in (await _get(stage, "/logs/")).body
    for path in ("/logs/../../etc/passwd", "/logs/none", "/logs/%2e%2e/%2e%2e/etc/passwd"):
        assert (await _get(stage, path)).status == 404, path


system_logs.changes = {"system_logs": "/var/log"}  # type: ignore[attr-defined]
