"""The pages of numbers of an agent that has done something: the families that dashboards and alerts ask for are there, and move."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from api import kinds
from api.core_v1 import Container, EmptyDirVolumeSource, Volume
from kit.http.model import Request, Response
from nodeagent.cri.fake import Program
from nodeagent.serving import agent_api
from tests.scenario.nodeagent.test_agent_scenarios import Scene
from tests.scenario.nodeagent.test_static_pods import StaticScene

# What the rules and dashboards of kubernetes-mixin read of a kubelet, with the labels they go by.
ASKED = """
kubelet_cgroup_manager_duration_seconds_bucket operation_type
kubelet_certificate_manager_client_expiration_renew_errors -
kubelet_node_config_error -
kubelet_node_name node
kubelet_pleg_relist_duration_seconds_bucket -
kubelet_pleg_relist_interval_seconds_bucket -
kubelet_pod_start_duration_seconds_bucket -
kubelet_pod_start_duration_seconds_count -
kubelet_pod_start_sli_duration_seconds_count -
kubelet_pod_worker_duration_seconds_bucket operation_type
kubelet_pod_worker_duration_seconds_count operation_type
kubelet_running_containers container_state
kubelet_running_pods -
kubelet_server_expiration_renew_errors -
kubernetes_build_info build_date,compiler,git_commit,git_tree_state,git_version,go_version,major,minor,platform
process_cpu_seconds_total -
process_resident_memory_bytes -
storage_operation_duration_seconds_count migrated,operation_name,status,volume_plugin
volume_manager_total_volumes plugin_name,state
kubelet_active_pods static
kubelet_desired_pods static
kubelet_mirror_pods -
kubelet_started_containers_total container_type
kubelet_started_pods_total -
kubelet_working_pods config,lifecycle,static
kubelet_http_requests_total long_running,method,path,server_type
workqueue_depth name
workqueue_adds_total name
"""
OF_NOBODY = (
    *("kubelet_cpu_manager_pinning_requests_total", "kubelet_cpu_manager_pinning_errors_total"),
    *("kubelet_memory_manager_pinning_requests_total", "kubelet_memory_manager_pinning_errors_total"),
    *("kubelet_cpu_manager_exclusive_cpu_allocation_count", "kubelet_topology_manager_admission_errors_total"),
)


class Carrier:
    """No connection."""

    disconnected = False
    remote = "192.0.2.7"
    peer = None


def read(page: bytes) -> dict[str, float]:
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def numbers(scene: Scene, path: str = "/metrics") -> dict[str, float]:
    """One scrape."""
    answer = agent_api(scene.agent).public(Request("GET", path, [], b"", Carrier()))  # type: ignore[arg-type]
    if isinstance(answer, Awaitable):
        task = asyncio.ensure_future(answer)
        while not task.done():
            await scene.clock.advance(0.1)
        answer = task.result()
    assert isinstance(answer, Response) and answer.status == 200
    return read(bytes(answer.body))  # type: ignore[arg-type]


def families(found: dict[str, float]) -> set[str]:
    """Names with their labels, as the table has them."""
    shown = set()
    for sample in found:
        name, _, rest = sample.partition("{")
        labels = sorted(part.partition('="')[0] for part in rest.removesuffix("}").split('",') if part)
        shown.add(f"{name} {','.join(label for label in labels if label != 'le') or '-'}")
    return shown


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[StaticScene]:
    made = StaticScene(tmp_path)
    yield made
    await made.stop()


async def test_what_dashboards_ask_for_is_there_and_moves(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    scene.runtime.programs["i"] = Program(runs=2, code=0)
    await scene.start()
    agent = scene.agent
    agent.tally.served.add("false", "GET", "metrics", "readwrite")
    first = await numbers(scene)
    volumes = [Volume(name="v", empty_dir=EmptyDirVolumeSource())]
    init = [Container(name="i", image="i:1")]
    await scene.create("app", volumes=volumes, init_containers=init)
    await scene.create("lost", containers=[Container(name="a", image="none:1", image_pull_policy="Never")])
    await scene.until(lambda: scene.phase("app") == scene.phase("web-n1") == "Running")
    await scene.until(lambda: sum(agent.tally.pod_start_sli.values[()].counts) == 1)
    await scene.until(lambda: bool(agent.tally.containers_not_started.values))
    found = await numbers(scene)
    assert {line for line in ASKED.strip().splitlines() if line not in families(found)} == set()
    assert first["kubelet_started_pods_total"] <= 1 < 3 == found["kubelet_started_pods_total"]
    for name, value in {
        "kubelet_running_pods": 3,
        'kubelet_running_containers{container_state="running"}': 2,
        'kubelet_running_containers{container_state="exited"}': 1,
        'kubelet_desired_pods{static=""}': 2,
        'kubelet_desired_pods{static="true"}': 1,
        "kubelet_mirror_pods": 1,
        'kubelet_working_pods{config="desired",lifecycle="sync",static=""}': 2,
        'kubelet_working_pods{config="runtime_only",lifecycle="terminating",static="unknown"}': 0,
        'kubelet_started_containers_total{container_type="init_container"}': 1,
        'kubelet_terminated_containers_total{container_type="init_container",exit_code="0",reason="Completed"}': 1,
        'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="actual_state_of_world"}': 1,
        "kubelet_pod_start_total_duration_seconds_count": 1,
        "kubelet_evented_pleg_connection_success_count": 1,
    }.items():
        assert found[name] == value, name
    assert found['kubelet_started_containers_total{container_type="container"}'] >= 3
    code = 'kubelet_started_containers_errors_total{code="ErrImageNeverPull",container_type="container"}'
    assert found[code] >= 1 and found["kubelet_pleg_last_seen_seconds"] <= scene.clock.now()


async def test_nobody_wakes_for_numbers(scene: StaticScene) -> None:
    """An idle agent counts nothing; being asked changes no number but of the process itself, and of requests."""
    await scene.start()
    await scene.create("app")
    await scene.until(lambda: scene.phase("app") == "Running")
    await scene.clock.advance(30)
    steps = {key: sum(spread.counts) for key, spread in scene.agent.tally.steps.values.items()}
    await scene.clock.advance(25)
    await numbers(scene)
    assert {key: sum(spread.counts) for key, spread in scene.agent.tally.steps.values.items()} == steps


async def test_pages_without_pods(scene: StaticScene) -> None:
    await scene.start()
    assert "process_start_time_seconds" in await numbers(scene, "/metrics/probes")
    assert (await numbers(scene, "/metrics/resource"))["resource_scrape_error"] == 0
    await scene.client.delete(kinds.NODE, "n1")
    assert (await numbers(scene))['kubelet_node_name{node="n1"}'] == 1


async def test_what_nobody_has_to_himself_is_told_as_nothing(scene: StaticScene) -> None:
    await scene.start()
    found = await numbers(scene)
    assert {name: found.get(name) for name in OF_NOBODY} == dict.fromkeys(OF_NOBODY, 0)
