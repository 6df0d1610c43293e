"""What the agent's pages say, made from readings."""

import asyncio
import os
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.clock import FakeClock
from kit.config import ConfigError
from kit.http.model import Response
from linux import process
from linux.cgroup_detail import DeviceUse, GroupDetail, Pressure
from linux.cgroup_use import GroupUse
from nodeagent.config import Config, Eviction, Pki, Reservations
from nodeagent.configured import eviction_policy, reserved_by, rotation_policy, with_reserved
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import CONTAINER_NAME, Owned
from nodeagent.csi import ledger
from nodeagent.csi.ledger import Record
from nodeagent.model.seen import ContainerState, PodRef, SeenContainer
from nodeagent.plan.reserved import Reserved, compute_allocatable, threshold
from nodeagent.report.facts import MachineFacts
from nodeagent.server.cadvisor import container_metrics, read_cores
from nodeagent.server.disks import Filesystem, Usage, usage, volumes
from nodeagent.server.interfaces import Interface, read_interfaces
from nodeagent.server.meter import MACHINE, MachineUse, Reading
from nodeagent.server.pages import configuration, running_pods
from nodeagent.server.stats import summarize
from nodeagent.server.storage import NoDrivers, Storage, StorageSurvey, StorageUse, claim_metrics
from nodeagent.server.survey import PodDisks, Survey, SurveyedContainer, SurveyedPod, Surveyor, VolumeUse
from nodeagent.server.system_logs import BLOCK, DISABLED, send_system_log, system_log
from nodeagent.serving import container_group, group_path
from proto import cri_v1_pb2 as pb
from proto import csi_v1_pb2 as csi
from testbed.checkout import CHECKOUT

AT = 1_700_000_000.0
SECOND = 10**9
DISK = Filesystem(1000, 600, 400, 50, 20)


DETAIL = GroupDetail(
    made=AT - 20,
    threads_most=99,
    swap_limit=500,
    pressure={kind: (Pressure(1.5, total=2_500_000), Pressure(total=500_000)) for kind in ("cpu", "io", "memory")},
    devices=(DeviceUse("/dev/vda", 10, 20, 1, 2),),
    descriptors=5,
    sockets=2,
)
MACHINE_FACTS = MachineFacts(4, 1, 1, {}, "mid", "uuid", "bid", "6.1", "Some Linux", "amd64", "n1")


def number(value: int) -> pb.UInt64Value:
    return pb.UInt64Value(value=value)


def reading() -> Reading:
    stamp = int(AT * SECOND)
    cpu = pb.CpuUsage(timestamp=stamp, usage_core_nano_seconds=number(5 * SECOND))
    memory = pb.MemoryUsage(timestamp=stamp, working_set_bytes=number(4096), available_bytes=number(99))
    layer = pb.FilesystemUsage(timestamp=stamp, used_bytes=number(70), inodes_used=number(7))
    attributes = pb.ContainerAttributes(id="c1", labels={CONTAINER_NAME: "a"})
    container = pb.ContainerStats(attributes=attributes, cpu=cpu, memory=memory, writable_layer=layer)
    interface = pb.NetworkInterfaceUsage(name="eth0", rx_bytes=number(11), tx_bytes=number(22))
    network = pb.NetworkUsage(timestamp=stamp, default_interface=interface)
    linux = pb.LinuxPodSandboxStats(cpu=cpu, memory=memory, network=network, containers=[container])
    meta = pb.PodSandboxMetadata(name="p", namespace="ns", uid="u")
    pod = pb.PodSandboxStats(attributes=pb.PodSandboxAttributes(id="s1", metadata=meta), linux=linux)
    machine = MachineUse(9 * SECOND, 1 << 20, 2 << 20, AT - 60, 1, 2, 4)
    return Reading(AT, 1.0, machine, (pod,), {"c1": 250, MACHINE: 300})


def survey() -> Survey:
    containers = (SurveyedContainer("c1", "a", "img:1", "/kubepods/podu/c1"),)
    pod = SurveyedPod("u", "ns", "p", "s1", "/kubepods/podu", "/d", "/l", AT - 30, containers)
    disks = PodDisks((VolumeUse("v", DISK, Usage(30, 3), True),), {"a": Usage(20, 2)}, Usage(1, 1))
    groups = {
        "/kubepods/podu/c1": GroupUse(
            cpu=5 * SECOND, memory=8192, working_set=4096, cpu_quota=50_000, cpu_period=100_000
        ),
        "/kubepods": GroupUse(cpu=6 * SECOND, memory=9999),
        "/": GroupUse(cpu=9 * SECOND),
    }
    return Survey(
        at=AT,
        pods={"u": pod},
        groups=groups,
        disks={"u": disks},
        disks_at=AT,
        root=DISK,
        images=DISK,
        image_use=Usage(123, 12),
        network=[Interface("eth0", rx_bytes=1, rx_packets=7, tx_bytes=2, tx_dropped=3)],
        details={"/kubepods/podu/c1": DETAIL, "/kubepods": GroupDetail(made=AT - 50), "/": GroupDetail()},
        rates={"/kubepods": 77},
        machine=MACHINE_FACTS,
        processes=(10, 100),
        pods_group="/kubepods",
        storage=[
            StorageUse(Storage("u", "data", "/d", "ns", "claim"), DISK, Usage(40, 4), abnormal=True),
            StorageUse(Storage("other", "data", "/e", "ns", "claim"), DISK, Usage(40, 4)),
        ],
    )


def test_the_summary() -> None:
    found = summarize("n1", reading(), survey(), {("ns", "p", "a"): AT - 20})
    node, [pod] = found["node"], found["pods"]
    assert node["fs"] == {
        "time": "2023-11-14T22:13:20Z",
        "availableBytes": 600,
        "capacityBytes": 1000,
        "usedBytes": 400,
        "inodesFree": 20,
        "inodes": 50,
        "inodesUsed": 30,
    }
    assert node["runtime"]["imageFs"]["usedBytes"] == 123 and node["rlimit"]["curproc"] == 10
    assert node["network"]["name"] == "eth0" and node["swap"]["swapUsageBytes"] == 1
    pods, own = node["systemContainers"]
    assert (pods["name"], pods["startTime"], pods["cpu"]["usageNanoCores"]) == ("pods", "2023-11-14T22:12:30Z", 77)
    assert pods["memory"]["usageBytes"] == 9999 and pods["memory"]["availableBytes"] == 3 << 20
    assert own["name"] == "kubelet" and own["startTime"] and node["io"] == {"time": "2023-11-14T22:13:20Z"}
    assert pod["startTime"] == "2023-11-14T22:12:50Z" and pod["network"]["rxBytes"] == 11
    [container] = pod["containers"]
    assert container["startTime"] == "2023-11-14T22:13:00Z" and container["cpu"]["usageNanoCores"] == 250
    assert (container["rootfs"]["usedBytes"], container["logs"]["usedBytes"]) == (70, 20)
    assert container["memory"]["availableBytes"] == 99
    some, full = {"total": 2_500_000, "avg10": 1.5}, {"total": 500_000, "avg10": 0.0}
    rest = {"avg60": 0.0, "avg300": 0.0}
    for kind in ("cpu", "memory", "io"):
        assert container[kind]["psi"] == {"some": {**some, **rest}, "full": {**full, **rest}}
    assert (container["swap"]["swapUsageBytes"], container["swap"]["swapAvailableBytes"]) == (0, 500)
    assert [(v["name"], v["usedBytes"], v.get("pvcRef")) for v in pod["volume"]] == [
        ("v", 30, None),
        ("data", 40, {"name": "claim", "namespace": "ns"}),
    ]
    assert pod["volume"][1]["volumeHealthStats"] == {"abnormal": True}
    assert pod["ephemeral-storage"]["usedBytes"] == 70 + 20 + 30 + 1


def test_the_summary_of_processors_and_memory_alone() -> None:
    found = summarize("n1", reading())
    assert set(found["node"]) == {"nodeName", "startTime", "cpu", "memory"} and "volume" not in found["pods"][0]


def test_numbers_of_containers() -> None:
    text = container_metrics(reading(), survey(), {("ns", "p", "a"): AT - 20}).decode()
    labels = 'id="/kubepods/podu/c1",image="img:1",name="c1",namespace="ns",pod="p"'
    stamp = int(AT * 1000)
    for line in (
        f'container_cpu_usage_seconds_total{{container="a",cpu="total",{labels}}} 5 {stamp}',
        f'container_memory_working_set_bytes{{container="a",{labels}}} 4096 {stamp}',
        f'container_spec_cpu_quota{{container="a",{labels}}} 50000 {stamp}',
        f'container_start_time_seconds{{container="a",{labels}}} 1699999980',
        f'container_fs_usage_bytes{{container="a",device="",{labels}}} 70 {stamp}',
        f'container_cpu_cfs_burst_periods_total{{container="a",{labels}}} 0 {stamp}',
        f'container_pressure_cpu_waiting_seconds_total{{container="a",{labels}}} 2.5 {stamp}',
        f'container_pressure_memory_stalled_seconds_total{{container="a",{labels}}} 0.5 {stamp}',
        f'container_fs_writes_bytes_total{{container="a",device="/dev/vda",{labels}}} 20 {stamp}',
        f'container_threads_max{{container="a",{labels}}} 99 {stamp}',
        f'container_sockets{{container="a",{labels}}} 2 {stamp}',
        'machine_cpu_cores{boot_id="bid",machine_id="mid",system_uuid="uuid"} 4',
    ):
        assert line in text.splitlines(), (line, text)
    assert 'container_spec_cpu_quota{container="",id="/"' not in text
    assert 'container_pressure_cpu_waiting_seconds_total{container="",id="/"' not in text
    whole = 'container="",id="/",image="",interface="eth0",name="",namespace="",pod=""'
    assert f"container_network_receive_packets_total{{{whole}}} 7 {stamp}" in text
    assert f"container_network_transmit_packets_dropped_total{{{whole}}} 3 {stamp}" in text
    network = 'container="",id="/kubepods/podu/s1",image="",interface="eth0",name="s1",namespace="ns",pod="p"'
    assert f"container_network_receive_bytes_total{{{network}}} 11 {stamp}" in text


# What rules and dashboards of kubernetes-mixin and kube-prometheus read of /metrics/cadvisor.
CADVISOR = """
cadvisor_version_info container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total
container_cpu_cfs_throttled_seconds_total container_cpu_system_seconds_total container_cpu_usage_seconds_total
container_cpu_user_seconds_total container_file_descriptors container_fs_inodes_free container_fs_inodes_total
container_fs_limit_bytes container_fs_reads_bytes_total container_fs_reads_total container_fs_usage_bytes
container_fs_writes_bytes_total container_fs_writes_total container_last_seen container_memory_cache
container_memory_failcnt container_memory_failures_total container_memory_kernel_usage container_memory_mapped_file
container_memory_max_usage_bytes container_memory_rss container_memory_swap container_memory_total_active_file_bytes
container_memory_total_inactive_file_bytes container_memory_usage_bytes container_memory_working_set_bytes
container_network_receive_bytes_total container_network_receive_errors_total
container_network_receive_packets_dropped_total container_network_receive_packets_total
container_network_transmit_bytes_total container_network_transmit_errors_total
container_network_transmit_packets_dropped_total container_network_transmit_packets_total container_oom_events_total
container_processes container_scrape_error container_sockets container_spec_cpu_period container_spec_cpu_quota
container_spec_cpu_shares container_spec_memory_limit_bytes container_spec_memory_reservation_limit_bytes
container_spec_memory_swap_limit_bytes container_start_time_seconds container_threads container_threads_max
machine_cpu_cores machine_cpu_physical_cores machine_cpu_sockets machine_memory_bytes machine_scrape_error
machine_swap_bytes container_pressure_cpu_stalled_seconds_total container_pressure_cpu_waiting_seconds_total
container_pressure_io_stalled_seconds_total container_pressure_io_waiting_seconds_total
container_pressure_memory_stalled_seconds_total container_pressure_memory_waiting_seconds_total
container_cpu_cfs_burst_periods_total container_cpu_cfs_burst_seconds_total
"""


def test_every_name_that_dashboards_know_has_the_labels_they_join_by() -> None:
    text = container_metrics(reading(), survey(), {("ns", "p", "a"): AT - 20}).decode()
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    assert set(kinds) >= {name for name in CADVISOR.split() if name != "container_spec_cpu_shares"}
    for name, kind in kinds.items():
        odd = name in ("container_memory_failcnt", "container_fs_inodes_total")
        assert odd or (kind == "counter") == name.endswith("_total"), name
    for line in text.splitlines():
        if line.startswith("container_") and "{" in line:
            labels = {part.partition("=")[0] for part in line.partition("{")[2].partition("}")[0].split(",")}
            assert labels >= {"container", "id", "image", "name", "namespace", "pod"}, line
            assert labels <= {
                *("container", "id", "image", "name", "namespace", "pod", "cpu", "device", "failure_type"),
                *("interface", "scope"),
            }, line


def test_interfaces(tmp_path: Path) -> None:
    file = tmp_path / "dev"
    lines = ["Inter-|   Receive  |  Transmit", " face |bytes packets errs drop fifo frame compressed multicast|bytes"]
    numbers = "1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0"
    file.write_text("\n".join([*lines, *(f"{name}: {numbers}" for name in ("lo", "eth0", "veth1", "wvabc"))]))
    assert read_interfaces(str(file)) == [Interface("eth0", 1, 2, 3, 4, 5, 6, 7, 8)]
    assert read_interfaces(str(tmp_path / "none")) == []


def test_cores(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    blocks = [f"processor : {n}\nphysical id : {n // 4}\ncore id : {n // 2 % 2}" for n in range(8)]
    file.write_text("\n\n".join(blocks))
    assert read_cores(str(file)) == (2, 4)
    file.write_text("Processor : ARM")
    assert read_cores(str(file)) == (0, 0)


def test_what_runs() -> None:
    ref = PodRef("u", "ns", "p")
    seen = [
        Owned(ref, SeenContainer("1", "s", "a", 0, ContainerState.RUNNING, image_ref="sha256:1")),
        Owned(ref, SeenContainer("2", "s", "b", 0, ContainerState.EXITED)),
        Owned(PodRef("", "", ""), SeenContainer("3", "s", "by-hand", 0, ContainerState.RUNNING)),
    ]
    [pod] = msgspec.json.decode(running_pods(seen))["items"]
    assert pod["metadata"] == {"name": "p", "namespace": "ns", "uid": "u"}
    assert [(c["name"], c["image"]) for c in pod["spec"]["containers"]] == [("a", "sha256:1")]


def test_the_configuration_is_told_in_upstreams_names() -> None:
    config = Config(
        node_name="n1",
        node_address="192.0.2.1",
        kubeconfig="/k",
        runtime_endpoint="unix:///c",
        pki=Pki(cert="/c", key="/k", client_ca="/ca"),
    )
    told = msgspec.json.decode(configuration(config))["kubeletconfig"]
    assert (told["port"], told["address"], told["imageGCHighThresholdPercent"]) == (10250, "0.0.0.0", 85)
    assert told["authentication"]["anonymous"] == {"enabled": False} and told["authorization"]["mode"] == "Webhook"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/a.log", 200), ("a.log", 200), ("/sub/b", 200), ("", 200), ("/", 200), ("/none", 404)),
        *(("/../secret", 404), ("/out", 404), ("/sub/../../secret", 404), ("/inside", 200), ("/pipe", 404)),
        *(("/a.log\0", 404), ("/odd", 200)),
    ],
)
def test_logs_of_the_machine(tmp_path: Path, path: str, status: int) -> None:
    root = tmp_path / "log"
    (root / "sub").mkdir(parents=True)
    (root / "a.log").write_text("hello\n")
    (root / "sub" / "b").write_text("b\n")
    (tmp_path / "secret").write_text("hush\n")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to(root / "a.log")
    os.mkfifo(root / "pipe")
    (root / "odd").mkdir()
    (root / "odd" / os.fsdecode(b"not-\xff-utf8")).write_text("")
    found = system_log(str(root), path)
    assert isinstance(found, Response)
    assert found.status == status and b"hush" not in bytes(found.body)  # type: ignore[arg-type]
    assert system_log("", path) is DISABLED


async def test_a_large_log_of_the_machine_is_sent_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789abcdef" * 40_000)
    sent = list[bytes]()

    class Sink:
        def write(self, data: bytes) -> None:
            sent.append(data)

        async def drain(self) -> None:
            if len(sent) == 1:
                with (tmp_path / "large").open("ab") as file:
                    file.write(b"written meanwhile")

        def close(self) -> None:
            sent.append(b"")

    request: Any = type("Asked", (), {"start_stream": lambda *_: Sink()})()
    assert await send_system_log(request, str(tmp_path), "/large") is None
    assert sent.pop() == b"" and b"".join(sent) == b"0123456789abcdef" * 40_000
    assert len(sent) > 1 and max(map(len, sent)) <= BLOCK


async def test_disks_are_walked_through_once_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    pods: list[SurveyedPod] = []
    storage = StorageSurvey(clock, NoDrivers(), list, lambda _: None)
    surveyor = Surveyor(FakeRuntime(clock), clock, str(tmp_path), "/none", lambda: pods, storage)
    await surveyor.look()
    file = tmp_path / "etc-hosts"
    file.write_bytes(b"x" * 5000)
    pods.append(SurveyedPod("u", "ns", "p", "s1", "/none", str(tmp_path), str(tmp_path / "logs"), AT, ()))
    began = clock.now()
    first = await surveyor.look()
    file.write_bytes(b"x" * 500_000)
    await clock.advance(30)
    again = await surveyor.look()  # the pod came after the walk; it is not looked through at each look
    assert again.disks["u"] is first.disks["u"] and (again.at, again.disks_at) == (began + 30, began)
    await clock.advance(31)
    last = await surveyor.look()
    assert last.disks["u"].other.used > again.disks["u"].other.used and last.disks_at == last.at


async def test_volumes_that_take_long_hold_up_no_other_page(tmp_path: Path) -> None:
    clock, looking, goes_on = FakeClock(), asyncio.Event(), asyncio.Event()

    class Slow(StorageSurvey):
        async def look(self) -> list[StorageUse]:
            looking.set()
            await goes_on.wait()
            return []

    storage = Slow(clock, NoDrivers(), list, lambda _: None)
    surveyor = Surveyor(FakeRuntime(clock), clock, str(tmp_path), "/none", list, storage)
    look = asyncio.create_task(surveyor.look())
    async with asyncio.timeout(60):
        await looking.wait()
        assert await surveyor.disks() == ([], {})
    goes_on.set()
    assert (await look).storage == []


def test_nothing_is_asked_of_what_is_mounted_as_a_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume, asked = tmp_path / "volumes" / "kubernetes.io~nfs" / "v", os.stat
    volume.mkdir(parents=True)

    def stat(path: Any, *rest: Any, **more: Any) -> os.stat_result:
        assert os.fspath(path) != str(volume), "its server is away: there would be no answer"
        return asked(path, *rest, **more)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "lstat", stat)
    assert list(volumes(str(tmp_path))) == [("nfs", "v", str(volume))]
    ledger.make(str(volume))
    ledger.strike(str(volume))


def test_what_files_take(tmp_path: Path) -> None:
    pod = tmp_path / "pods" / "u"
    volume = pod / "volumes" / "kubernetes.io~empty-dir" / "v"
    volume.mkdir(parents=True)
    (volume / "f").write_bytes(b"x" * 100_000)
    os.link(volume / "f", volume / "again")
    (volume / "link").symlink_to("/etc")
    found = usage(str(volume))
    assert 100_000 <= found.used < 200_000 and found.inodes == 3
    assert list(volumes(str(pod))) == [("empty-dir", "v", str(volume))]
    assert usage(str(tmp_path / "none")) == Usage()


def test_a_file_that_is_removed_meanwhile_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    @contextmanager
    def busy(path: str) -> Iterator[list[os.DirEntry[str]]]:
        with listed(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        os.remove(found[0].path)
        yield found

    (tmp_path / "a").touch()
    (tmp_path / "b").write_bytes(b"x" * 100_000)
    monkeypatch.setattr(os, "scandir", busy)
    found = usage(str(tmp_path))
    assert found.used >= 100_000 and found.inodes == 2


def test_many_files_take_no_memory_to_count(tmp_path: Path) -> None:
    for n in range(3000):
        (tmp_path / str(n)).touch()
    tracemalloc.start()
    try:
        assert usage(str(tmp_path)).inodes == 3001
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


OVERLAY = """
mount -t tmpfs none .
cd "$PWD"
mkdir lower layers all
mount -t tmpfs none lower
mount -t tmpfs none layers
mkdir layers/upper layers/work lower/log
dd if=/dev/zero of=lower/log/old bs=1000 count=100
mount -t overlay none all -o lowerdir=lower,upperdir=layers/upper,workdir=layers/work
cd all/log
dd if=/dev/zero of=new bs=1000 count=50
ln new again
mkdir other
mount -t tmpfs none other
dd if=/dev/zero of=other/mounted bs=1000 count=900
stat -c %d . old new | uniq | wc -l
"$@" "$PWD"
"""


@pytest.mark.root
def test_what_files_take_on_an_overlay(tmp_path: Path) -> None:
    """Its files have the devices of their layers; what is mounted in it is left out as anywhere."""
    show = "import sys; from nodeagent.server.disks import usage; print(usage(sys.argv[1]))"
    argv = ["unshare", "--mount", "sh", "-ec", OVERLAY, "sh", sys.executable, "-c", show]
    found = process.run(argv, timeout=120, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, cwd=tmp_path)
    devices, taken = found.text.splitlines()
    assert int(devices) > 1, "all have one device: this shows nothing"
    assert taken == str(Usage(102_400 + 53_248, 3))


@pytest.mark.parametrize(
    ("name", "path", "inside"),
    [
        ("/kubepods/burstable/podu", "/kubepods/burstable/podu", "/kubepods/burstable/podu/c1"),
        (
            "kubepods-burstable-podu_1.slice",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podu_1.slice",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podu_1.slice/cri-containerd-c1.scope",
        ),
    ],
)
def test_where_groups_are(name: str, path: str, inside: str) -> None:
    assert group_path(name) == path and container_group(path, "c1") == inside


CAPACITY = {"cpu": "4", "memory": "8388608Ki", "ephemeral-storage": "1000Ki", "pods": "110", "hugepages-2Mi": "1048576"}


@pytest.mark.parametrize(
    ("reserved", "expected"),
    [
        (Reserved(eviction={}), {"cpu": "4", "memory": "8387584Ki", "ephemeral-storage": "1000Ki"}),
        (Reserved(), {"memory": f"{8388608 - 1024 - 102400}Ki", "ephemeral-storage": "921600", "pods": "110"}),
        (
            Reserved({"cpu": "100m", "memory": "1Gi"}, {"cpu": "400m"}, {}),
            {"cpu": "3500m", "memory": f"{8387584 - (1 << 20)}Ki"},
        ),
        (Reserved({"cpu": "1"}, {"cpu": "1", "memory": "100Gi"}, {}), {"cpu": "2", "memory": "0Ki"}),
    ],
)
def test_what_is_left_for_pods(reserved: Reserved, expected: dict[str, str]) -> None:
    assert compute_allocatable(CAPACITY, reserved).items() >= expected.items()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"eviction": Eviction(hard={"memory.available": "x"})}, "eviction: the eviction threshold memory.available"),
        ({"container_log_max_size": "10 MB"}, "containerLogMaxSize: "),
        ({"container_log_max_size": "0"}, "containerLogMaxSize: "),
        ({"container_log_max_files": 1}, "containerLogMaxFiles: "),
        ({"reserved": Reservations(kube={"cpu": "lots"})}, "reserved.kube.cpu: "),
        (
            {"reserved": Reservations(kube={"memory": "5Gi"}, system={"memory": "4Gi"})},
            "reserved: more memory than the 8388608Ki",
        ),
    ],
)
def test_amounts_that_cannot_be_used_are_told_by_their_field(given: dict[str, Any], field: str) -> None:
    pki = Pki(cert="/c", key="/k", client_ca="/ca")
    config = Config(
        **{"node_name": "n1", "node_address": "10.0.0.1", "kubeconfig": "", "runtime_endpoint": "", "pki": pki, **given}
    )
    with pytest.raises(ConfigError) as caught:
        for read in (reserved_by, eviction_policy, rotation_policy):
            read(config)
        with_reserved(config, replace(MACHINE_FACTS, memory=8 << 30))
    assert str(caught.value).startswith(f"cannot use the agent's configuration: field {field}")


def test_thresholds() -> None:
    assert [threshold(text, 1000) for text in ("", "10%", "2.5%", "100", "1Ki")] == [0, 100, 25, 100, 1024]


async def test_how_full_volumes_are_is_looked_at_once_a_minute_and_nobody_waits_long(tmp_path: Path) -> None:
    clock, hangs = FakeClock(), asyncio.Event()
    record = Record("d", "v1", "/target")

    class Slow:
        """A driver whose answers come when they come."""

        asked = 0

        async def can(self, ability: int) -> bool:
            return True

        async def stats(self, handle: str, path: str) -> csi.NodeGetVolumeStatsResponse:
            self.asked += 1
            await hangs.wait()
            usage = csi.VolumeUsage(unit=csi.VolumeUsage.BYTES, total=9, used=4, available=5)
            condition = csi.VolumeCondition(abnormal=True, message="it burns")
            return csi.NodeGetVolumeStatsResponse(usage=[usage], volume_condition=condition)

    class Registered:
        def named(self, name: str) -> Slow:
            return driver

    driver, told = Slow(), list[StorageUse]()
    wanted = [Storage("u", "a", str(tmp_path), "ns", "mine"), Storage("u", "b", "", "ns", "far", record)]
    survey = StorageSurvey(clock, Registered(), lambda: wanted, told.append)
    look = asyncio.create_task(survey.look())
    async with asyncio.timeout(60):
        while not (len(survey._known) == 1 and driver.asked and clock.next_due() is not None):
            await asyncio.sleep(0.001)
    await clock.advance(6)
    assert [one.storage.name for one in await look] == ["a"], "the other is not waited for"
    async with asyncio.timeout(60):
        assert [one.storage.name for one in await survey.look()] == ["a"], "nor by who comes later"
    assert driver.asked == 1, "and not asked again while it has not answered"
    hangs.set()
    async with asyncio.timeout(60):
        while len(survey._known) == 1:
            await asyncio.sleep(0.001)
    found = await survey.look()
    assert [one.storage.name for one in found] == ["a", "b"] and [one.message for one in told] == ["it burns"]
    page = [line for one in claim_metrics([*found, found[1]]) for line in one.lines()]
    assert 'kubelet_volume_stats_used_bytes{namespace="ns",persistentvolumeclaim="far"} 4' in page
    assert page.count('kubelet_volume_stats_capacity_bytes{namespace="ns",persistentvolumeclaim="far"} 9') == 1
    assert 'kubelet_volume_stats_health_status_abnormal{namespace="ns",persistentvolumeclaim="far"} 1' in page
    await clock.advance(61)
    await survey.look()
    assert driver.asked == 2 and len(told) == 1, "what is told already is not told again"
