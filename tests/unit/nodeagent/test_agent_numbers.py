"""What the agent counts, under which names, labels and bounds; those of upstream's kubelet 1.36, as its own pages show them."""

import ssl
from pathlib import Path

import pytest

from api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    EmptyDirVolumeSource,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Volume,
)
from api.meta_v1 import ObjectMeta
from kit import pki
from kit.clock import FakeClock
from kit.expiry import expiry
from kit.http.model import Request, Response
from nodeagent.model.memory import PodMemory
from nodeagent.model.seen import SeenPod
from nodeagent.plan.admission import NodeView
from nodeagent.plan.resizing import resize_steps
from nodeagent.report.measures import Counter, Histogram, Shown, Spread
from nodeagent.report.starts import StartMeter, all_run, has_lasting_volumes
from nodeagent.report.tally import Tally, exposition, size_class
from nodeagent.server.census import about
from nodeagent.server.probes import probe_page
from nodeagent.server.process import process_numbers
from nodeagent.server.requests import Counted, labels_of
from nodeagent.sources.alone import NoReporter
from nodeagent.sources.static import StaticPods
from nodeagent.sync.allocations import Allocations

USUAL = "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf"
STARTS = "0.5 1 2 3 4 5 6 8 10 20 30 45 60 120 180 240 300 360 480 600 900 1200 1800 2700 3600 +Inf"
CALLS = (
    "0.005 0.0125 0.03125 0.078125 0.1953125 0.48828125 1.220703125 3.0517578125 7.62939453125 19.073486328125 "
    "47.6837158203125 119.20928955078125 298.0232238769531 745.0580596923828 +Inf"
)
# Name, type, labels, bounds of buckets.
FACTS = """
kubelet_admission_rejections_total counter reason
kubelet_cgroup_manager_duration_seconds histogram operation_type USUAL
kubelet_container_requested_resizes_total counter operation,requirement,resource
kubelet_containers_per_pod_count histogram - 1 2 4 8 16 +Inf
kubelet_evented_pleg_connection_error_count counter -
kubelet_evented_pleg_connection_success_count counter -
kubelet_eviction_stats_age_seconds histogram eviction_signal USUAL
kubelet_evictions counter eviction_signal
kubelet_preemptions counter preemption_signal
kubelet_graceful_shutdown_end_time_seconds gauge -
kubelet_graceful_shutdown_start_time_seconds gauge -
kubelet_http_inflight_requests gauge long_running,method,path,server_type
kubelet_http_requests_duration_seconds histogram long_running,method,path,server_type USUAL
kubelet_http_requests_total counter long_running,method,path,server_type
kubelet_image_garbage_collected_total counter reason
kubelet_image_manager_ensure_image_requests_total counter present_locally,pull_policy,pull_required
kubelet_image_pull_duration_seconds histogram image_size_in_bytes 1 5 10 20 30 60 120 180 240 300 360 480 600 900 1200 1800 2700 3600 +Inf
kubelet_image_volume_mounted_errors_total counter -
kubelet_image_volume_mounted_succeed_total counter -
kubelet_image_volume_requested_total counter -
kubelet_lifecycle_handler_http_fallbacks_total counter -
kubelet_orphan_pod_cleaned_volumes gauge -
kubelet_orphan_pod_cleaned_volumes_errors gauge -
kubelet_orphaned_runtime_pods_total counter -
kubelet_pleg_last_seen_seconds gauge -
kubelet_pleg_pod_relist_duration_seconds histogram - USUAL
kubelet_pleg_relist_duration_seconds histogram - USUAL
kubelet_pleg_relist_interval_seconds histogram - USUAL
kubelet_pod_resize_duration_milliseconds histogram success 10 50 100 500 1000 2000 5000 10000 20000 30000 60000 120000 300000 600000 +Inf
kubelet_pod_start_duration_seconds histogram - STARTS
kubelet_pod_start_sli_duration_seconds histogram - STARTS
kubelet_pod_start_total_duration_seconds histogram - STARTS
kubelet_pod_status_sync_duration_seconds histogram - 0.01 0.05 0.1 0.5 1 5 10 20 30 45 60 +Inf
kubelet_pod_worker_duration_seconds histogram operation_type USUAL
kubelet_pod_worker_start_duration_seconds histogram - USUAL
kubelet_restarted_pods_total counter static
kubelet_run_podsandbox_duration_seconds histogram runtime_handler USUAL
kubelet_run_podsandbox_errors_total counter runtime_handler
kubelet_runtime_operations_duration_seconds histogram operation_type CALLS
kubelet_runtime_operations_errors_total counter operation_type
kubelet_runtime_operations_total counter operation_type
kubelet_sleep_action_terminated_early_total counter -
kubelet_started_containers_errors_total counter code,container_type
kubelet_started_containers_total counter container_type
kubelet_started_pods_errors_total counter -
kubelet_started_pods_total counter -
kubelet_started_user_namespaced_pods_errors_total counter -
kubelet_started_user_namespaced_pods_total counter -
kubelet_terminated_containers_total counter container_type,exit_code,reason
kubelet_volume_metric_collection_duration_seconds histogram metric_source USUAL
rest_client_request_duration_seconds histogram host,verb 0.005 0.025 0.1 0.25 0.5 1 2 4 8 15 30 60 +Inf
rest_client_requests_total counter code,host,method
storage_operation_duration_seconds histogram migrated,operation_name,status,volume_plugin 0.1 0.25 0.5 1 2.5 5 10 15 25 50 120 300 600 +Inf
"""
NAMED = {"USUAL": USUAL, "STARTS": STARTS, "CALLS": CALLS}


def told(measure: Counter | Histogram) -> str:
    """A measure in the words of the facts."""
    labels = ",".join(measure.labels) or "-"
    measure.add(*([1.0] if isinstance(measure, Histogram) else []), *("x" for _ in measure.labels))  # type: ignore[arg-type]
    lines = list(measure.lines())
    kind = lines[1].split()[-1]
    bounds = [line.partition('le="')[2].partition('"')[0] for line in lines if "_bucket{" in line]
    unique = " ".join(dict.fromkeys(bounds))
    short = next((name for name, text in NAMED.items() if text == unique), unique)
    return " ".join(part for part in (measure.name, kind, labels, short) if part)


def test_everything_that_is_counted_has_upstreams_name_labels_and_bounds() -> None:
    found = sorted(told(measure) for measure in Tally().measures())  # type: ignore[arg-type]
    assert found == sorted(FACTS.strip().splitlines())


def test_what_has_no_labels_is_told_before_it_is_counted() -> None:
    text = exposition(Tally().measures()).decode()
    assert "\nkubelet_started_pods_total 0\n" in text
    assert "\nkubelet_pleg_relist_duration_seconds_count 0\n" in text
    assert "kubelet_runtime_operations_total" not in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert names == sorted(names) and len(set(names)) == len(names)


def test_the_text_form() -> None:
    tally = Tally()
    tally.called("run_podsandbox", 0.2, False)
    tally.called("run_podsandbox", 100.0, True)
    tally.sandbox_made("", 0.2, mapped=False, failed=False)
    tally.sandbox_made("kata", 100.0, mapped=True, failed=True)
    tally.rejected("OutOfpods")
    tally.rejected("OutOfexample.com/gpu")
    tally.rejected("whatever")
    tally.asked("10.0.0.1:6443", "GET", 200, 0.1)
    tally.asked("10.0.0.1:6443", "GET", 0, 0.1)
    tally.stored("volume_mount", "kubernetes.io/empty-dir", 0.3, False)
    tally.evicted("memory.available", 0.5)
    extra = Shown("kubelet_node_name", "It's name.", [({"node": 'a"b\\'}, 1)])
    text = exposition((*tally.measures(), extra)).decode()
    for line in (
        'kubelet_runtime_operations_total{operation_type="run_podsandbox"} 2',
        'kubelet_runtime_operations_errors_total{operation_type="run_podsandbox"} 1',
        'kubelet_runtime_operations_duration_seconds_bucket{operation_type="run_podsandbox",le="+Inf"} 2',
        'kubelet_runtime_operations_duration_seconds_bucket{operation_type="run_podsandbox",le="0.1953125"} 0',
        'kubelet_runtime_operations_duration_seconds_sum{operation_type="run_podsandbox"} 100.2',
        "kubelet_started_pods_total 2",
        "kubelet_started_pods_errors_total 1",
        "kubelet_started_user_namespaced_pods_errors_total 1",
        'kubelet_run_podsandbox_duration_seconds_count{runtime_handler=""} 1',
        'kubelet_run_podsandbox_errors_total{runtime_handler="kata"} 1',
        'kubelet_admission_rejections_total{reason="OutOfpods"} 1',
        'kubelet_admission_rejections_total{reason="OutOfExtendedResources"} 1',
        'kubelet_admission_rejections_total{reason="Other"} 1',
        'rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"} 1',
        'rest_client_requests_total{code="<error>",host="10.0.0.1:6443",method="GET"} 1',
        'kubelet_evictions{eviction_signal="memory.available"} 1',
        'kubelet_eviction_stats_age_seconds_sum{eviction_signal="memory.available"} 0.5',
        'kubelet_node_name{node="a\\"b\\\\"} 1',
    ):
        assert line in text.splitlines(), (line, text)
    assert tally.storage_seconds.values.keys() == {("false", "volume_mount", "fail-unknown", "kubernetes.io/empty-dir")}


@pytest.mark.parametrize(
    ("size", "name"),
    [
        (0, "N/A"),
        (1, "0-10MB"),
        (10 << 20, "0-10MB"),
        ((10 << 20) + 1, "10MB-100MB"),
        (1 << 30, "500MB-1GB"),
        (100 << 30, "60GB-100GB"),
        ((100 << 30) + 1, "GT100GB"),
    ],
)
def test_sizes_of_images(size: int, name: str) -> None:
    assert size_class(size) == name


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/metrics", ("false", "GET", "metrics")),
        ("GET", "/metrics/cadvisor", ("false", "GET", "metrics/cadvisor")),
        ("GET", "/metrics/x", ("false", "GET", "other")),
        ("GET", "/stats/summary", ("false", "GET", "stats")),
        ("GET", "/containerLogs/a/b/c", ("false", "GET", "containerLogs")),
        ("POST", "/exec/a/b/c", ("true", "POST", "exec")),
        ("POST", "/portForward/a/b", ("false", "POST", "portForward")),
        ("GET", "/debug/pprof/profile", ("true", "GET", "debug")),
        ("BREW", "/pods", ("false", "other", "pods")),
        ("GET", "/anything/else", ("false", "GET", "other")),
        ("GET", "/", ("false", "GET", "other")),
    ],
)
def test_requests_are_counted_by_place(method: str, path: str, expected: tuple[str, str, str]) -> None:
    assert labels_of(method, path, "readwrite") == (*expected, "readwrite")


class Carrier:
    """No connection."""

    disconnected = False
    remote = "192.0.2.7"
    peer = None


async def test_a_request_is_in_flight_until_it_is_answered() -> None:
    tally, clock = Tally(), FakeClock()
    labels = ("false", "GET", "pods", "readonly")
    during = []

    async def late(request: Request) -> Response:
        during.append(dict(tally.serving.values))
        await clock.sleep(0)
        return Response(200)

    request = Request("GET", "/pods", [], b"", Carrier())  # type: ignore[arg-type]
    answer = Counted(late, "readonly", tally, clock)(request)
    assert not isinstance(answer, Response) and answer is not None
    await answer
    assert isinstance(Counted(lambda _: Response(200), "readonly", tally, clock)(request), Response)
    assert during == [{labels: 1}] and tally.serving.values == {labels: 0}
    assert tally.served.values == {labels: 2} and sum(tally.served_seconds.values[labels].counts) == 2


def test_a_request_that_cannot_be_answered_is_over_all_the_same() -> None:
    def broken(request: Request) -> Response:
        raise ValueError("no answer")

    tally, labels = Tally(), ("false", "GET", "pods", "readwrite")
    with pytest.raises(ValueError, match="no answer"):
        Counted(broken, "readwrite", tally, FakeClock())(Request("GET", "/pods", [], b"", Carrier()))  # type: ignore[arg-type]
    assert tally.serving.values == {labels: 0} and tally.served.values == {labels: 1}


def status(*states: ContainerState) -> PodStatus:
    init = ContainerStateTerminated(started_at="2026-03-01T12:00:00Z", finished_at="2026-03-01T12:00:03Z")
    return PodStatus(
        phase="Running",
        container_statuses=[ContainerStatus(name=str(n), state=state) for n, state in enumerate(states)],
        init_container_statuses=[ContainerStatus(name="init", state=ContainerState(terminated=init))],
    )


def a_pod(uid: str, **spec: object) -> Pod:
    meta = ObjectMeta(name=uid, uid=uid, creation_timestamp="1970-01-01T00:00:01Z")
    return Pod(metadata=meta, spec=PodSpec(containers=[Container(name="0")], **spec))  # type: ignore[arg-type]


UP = ContainerState(running=ContainerStateRunning(started_at="2026-03-01T12:00:04Z"))


async def test_how_long_starts_take() -> None:
    clock, tally = FakeClock(now=1.0), Tally()
    meter = StartMeter(NoReporter(), clock, tally)
    new, old, lasting, late = (a_pod(uid) for uid in ("new", "old", "lasting", "late"))
    lasting.spec.volumes = [Volume(name="v")]
    late.status.conditions = [PodCondition(type="PodScheduled", status="False")]
    for pod in (new, lasting, late):
        meter.publish(pod, PodStatus(phase="Pending"))
    meter.publish(old, PodStatus(phase="Running"))
    meter.pulled("new", 2.0)
    meter.pulled("unknown", 2.0)
    await clock.advance(7)
    for pod in (new, old, lasting, late):
        for phase in ("Pending", "Running", "Pending", "Running"):
            meter.publish(pod, PodStatus(phase=phase))
        meter.observed(pod)  # the API server does not know yet
        pod.status = status(UP)
    await clock.advance(1)
    for pod in (new, new, old, lasting, late):
        meter.observed(pod)
    one = {(): 21.0, (1,): 0.0}
    assert tally.pod_start.values[()].total == one[()]  # three, of seven seconds each
    assert tally.pod_start_total.values[()].total == 16.0 and sum(tally.pod_start_total.values[()].counts) == 2
    assert tally.pod_start_sli.values[()].total == 8.0 - 2.0 - 3.0  # without pulling and without the init container


def test_what_lasts_and_what_runs() -> None:
    assert not has_lasting_volumes(a_pod("a", volumes=[Volume(name="v", empty_dir=EmptyDirVolumeSource())]))
    assert has_lasting_volumes(a_pod("a", volumes=[Volume(name="v")]))
    running, half, empty = a_pod("a"), a_pod("b"), a_pod("c")
    running.status, half.status = status(UP), status(UP, ContainerState())
    assert [all_run(pod) for pod in (running, half, empty)] == [True, False, False]


def test_probes_have_a_page() -> None:
    seconds = Spread((0.1, 1.0))
    seconds.add(0.5)
    labels = {"container": "c", "namespace": "ns", "pod": "p", "probe_type": "Readiness"}
    text = probe_page([("uid", labels, {"successful": 3, "failed": 1}, seconds)]).decode()
    for line in (
        "# TYPE prober_probe_duration_seconds histogram",
        'prober_probe_duration_seconds_bucket{container="c",namespace="ns",pod="p",probe_type="Readiness",le="0.1"} 0',
        'prober_probe_duration_seconds_bucket{container="c",namespace="ns",pod="p",probe_type="Readiness",le="+Inf"} 1',
        'prober_probe_duration_seconds_sum{container="c",namespace="ns",pod="p",probe_type="Readiness"} 0.5',
        "# TYPE prober_probe_total counter",
        'prober_probe_total{container="c",namespace="ns",pod="p",pod_uid="uid",probe_type="Readiness",result="failed"} 1',
    ):
        assert line in text.splitlines(), (line, text)
    assert "\nprocess_start_time_seconds 1" in text
    assert probe_page([]).decode().splitlines()[-1].startswith("process_start_time_seconds ")


def test_the_process() -> None:
    found = {one.name: (one.kind, one.samples[0][1]) for one in process_numbers()}
    assert {name: kind for name, (kind, _) in found.items()} == {
        "process_cpu_seconds_total": "counter",
        "process_max_fds": "gauge",
        "process_network_receive_bytes_total": "counter",
        "process_network_transmit_bytes_total": "counter",
        "process_open_fds": "gauge",
        "process_resident_memory_bytes": "gauge",
        "process_start_time_seconds": "gauge",
        "process_virtual_memory_bytes": "gauge",
        "process_virtual_memory_max_bytes": "gauge",
    }
    assert found["process_open_fds"][1] >= 3
    assert found["process_virtual_memory_bytes"][1] > found["process_resident_memory_bytes"][1] > 1 << 20


def test_which_program_it_is() -> None:
    found = {one.name: one.samples for one in about("n1")}
    assert found["kubelet_node_name"] == [({"node": "n1"}, 1)]
    [(build, value)] = found["kubernetes_build_info"]
    assert value == 1 and build["major"] == "1" and build["git_version"].startswith("v1.36.")
    assert ({"name": "SidecarContainers", "stage": ""}, 1) in found["kubernetes_feature_enabled"]


def test_until_when_a_certificate_holds(tmp_path: Path) -> None:
    ca = pki.make_ca("test")
    pair = pki.issue(ca, "n1", ["system:nodes"], dns=["localhost"], server=True, days=30)
    assert expiry(pair.cert) == pki.subject(pair.cert).expires
    assert expiry(b"junk\n" + pair.cert + ca.cert) == pki.subject(pair.cert).expires
    long = pki.make_ca("long", days=365 * 60)  # after 2049 times are written with four digits of the year
    assert expiry(long.cert) == pki.subject(long.cert).expires
    der = ssl.PEM_cert_to_DER_cert(pair.cert.decode())
    for bad in (b"", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"):
        assert expiry(bad) is None
    for cut in range(0, len(der), 37):
        expiry(ssl.DER_cert_to_PEM_cert(der[:cut]).encode())  # whatever it is, it is no crash


def resources(**requests: str) -> dict[str, ResourceRequirements]:
    return {"a": ResourceRequirements(requests=requests, limits={"memory": "1Gi"})}


@pytest.mark.parametrize(
    ("before", "wish", "steps"),
    [
        ({"cpu": "1"}, {"cpu": "1000m"}, []),
        ({"cpu": "1"}, {"cpu": "2"}, [("increase", "requests", "cpu")]),
        (
            {"cpu": "1", "memory": "2Mi"},
            {"cpu": "500m", "memory": "1Mi"},
            [("decrease", "requests", r) for r in ("cpu", "memory")],
        ),
        ({}, {"memory": "1Mi"}, [("add", "requests", "memory")]),
        ({"cpu": "1"}, {}, [("remove", "requests", "cpu")]),
    ],
)
def test_what_a_resize_changes(before: dict[str, str], wish: dict[str, str], steps: list[tuple[str, str, str]]) -> None:
    assert resize_steps(resources(**before), resources(**wish)) == steps


def test_resizes_are_counted_once_each(tmp_path: Path) -> None:
    class Quiet:
        def tell(self, *_: object) -> None: ...

    def wish(cpu: str, generation: int) -> Pod:
        one = a_pod("u")
        one.metadata.generation = generation
        one.spec.containers[0].resources = ResourceRequirements(requests={"cpu": cpu, "memory": "1Mi"})
        return one

    tally, memory = Tally(), PodMemory(0.0)
    node = NodeView("n1", {"cpu": "2", "memory": "1Gi", "pods": "9"}, {})
    allocations = Allocations(str(tmp_path), node, Quiet(), tally)
    allocations.admit(wish("1", 1), list, memory, False)
    allocations.update(wish("2", 2), list, memory, SeenPod())
    for _ in range(3):  # it is asked again and again, and there is no room
        allocations.update(wish("3", 3), list, memory, SeenPod())
    assert tally.resizes.values == {("increase", "requests", "cpu"): 2}


def test_a_static_pod_that_begins_again_as_what_it_was_is_counted() -> None:
    class Sink:
        def apply(self, *_: object) -> None: ...

    again: list[str] = []
    static = StaticPods(Sink(), FakeClock(), lambda key, pod: None)
    static.restarted = again.append
    static.update([a_pod("u")])
    static.update([])
    static.update([a_pod("u")])
    static.forgotten("u")
    assert again == ["true"]
