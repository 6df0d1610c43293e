"""What few ask of control groups, read from files as kernels write them."""

import os
import socket
from pathlib import Path

from linux.cgroup_detail import DeviceUse, GroupDetail, Pressure, read_detail

LINES = "some avg10=1.50 avg60=0.25 avg300=0.10 total=4000000\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1000\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")


def test_version_2(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    write(
        root,
        {
            "cgroup.controllers": "cpu io memory pids",
            "p/cpu.pressure": LINES,
            "p/memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=5",
            "p/io.stat": "259999:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n259999:1",
            "p/pids.max": "100",
            "p/memory.swap.max": "max",
            "p/cgroup.procs": "12\n13",
        },
    )
    for name, target in (("0", "/dev/null"), ("1", "socket:[5]")):
        (proc / "12" / "fd").mkdir(parents=True, exist_ok=True)
        os.symlink(target, proc / "12" / "fd" / name)
    write(
        proc,
        {
            "12/limits": "Limit  Soft  Hard  Units\nMax open files            1024                 4096                 files"
        },
    )
    found = read_detail("/p", root, proc)
    assert found == GroupDetail(
        made=(root / "p").stat().st_ctime,
        threads_most=100,
        pressure={
            "cpu": (Pressure(1.5, 0.25, 0.1, 4_000_000), Pressure(0.5, 0.0, 0.0, 1000)),
            "memory": (Pressure(total=5), Pressure()),
        },
        devices=(DeviceUse("259999:0", 10, 20, 1, 2),),
        descriptors=2,
        sockets=1,
        files_most=1024,
        processes=(12, 13),
    )
    assert read_detail("/none", root, proc) is None


def test_version_1(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    write(
        root,
        {
            "pids/p/pids.max": "max",
            "blkio/p/blkio.throttle.io_service_bytes_recursive": "259999:0 Read 10\n259999:0 Write 20\n259999:0 Sync 30\nTotal 30",
            "blkio/p/blkio.throttle.io_serviced_recursive": "259999:0 Read 1\n259999:0 Write 2\nTotal 3",
            "memory/p/memory.limit_in_bytes": "1000",
            "memory/p/memory.memsw.limit_in_bytes": "1500",
            "memory/p/cgroup.procs": "",
        },
    )
    found = read_detail("/p", root, proc)
    assert found is not None and found.devices == (DeviceUse("259999:0", 10, 20, 1, 2),)
    assert (found.swap_limit, found.threads_most, found.pressure) == (500, 0, {})


def test_the_machine_as_a_whole_has_pressure_of_its_own(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    write(root, {"cgroup.controllers": "cpu"})
    write(proc, {"pressure/io": LINES})
    found = read_detail("/", root, proc)
    assert found is not None and found.pressure["io"][0].total == 4_000_000


def test_this_process_has_files_open(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    write(root, {"cgroup.controllers": "", "p/cgroup.procs": str(os.getpid())})
    with socket.socket():
        found = read_detail("/p", root)
    assert found is not None and found.descriptors > found.sockets >= 1 and found.files_most > 0
