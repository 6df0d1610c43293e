"""What control groups use, in both versions."""

from pathlib import Path

from linux.cgroup_use import GroupUse, read_group


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")


def test_version_2(tmp_path: Path) -> None:
    files = {
        "cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7",
        "cpu.max": "50000 100000",
        "cpu.weight": "79",
        "memory.current": "1000",
        "memory.stat": "anon 300\nfile 600\ninactive_file 400\nfile_mapped 50\npgfault 9\npgmajfault 1",
        "memory.events": "low 0\nmax 3\noom_kill 1",
        "memory.max": "2000",
        "memory.peak": "1500",
        "memory.swap.current": "10",
        "cgroup.procs": "1\n2",
        "pids.current": "4",
    }
    write(
        tmp_path,
        {"cgroup.controllers": "cpu memory", **{f"kubepods/pod1/{name}": text for name, text in files.items()}},
    )
    found = read_group("/kubepods/pod1", tmp_path)
    assert found == GroupUse(
        cpu=30_000,
        user=20_000,
        system=10_000,
        periods=5,
        throttled=2,
        throttled_time=7_000,
        cpu_shares=2 + 78 * 262142 // 9999,
        cpu_quota=50_000,
        cpu_period=100_000,
        memory=1000,
        working_set=600,
        rss=300,
        cache=600,
        swap=10,
        mapped=50,
        inactive_file=400,
        most_memory=1500,
        refused=3,
        faults=9,
        major_faults=1,
        out_of_memory=1,
        memory_limit=2000,
        processes=2,
        threads=4,
    )
    assert read_group("/kubepods/none", tmp_path) is None


def test_version_1(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "cpuacct/p/cpuacct.usage": "123",
            "cpuacct/p/cpuacct.stat": "user 2\nsystem 1",
            "cpu/p/cpu.shares": "102",
            "cpu/p/cpu.cfs_quota_us": "-1",
            "cpu/p/cpu.cfs_period_us": "100000",
            "cpu/p/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0",
            "memory/p/memory.usage_in_bytes": "1000",
            "memory/p/memory.limit_in_bytes": "9223372036854771712",
            "memory/p/memory.stat": "total_rss 300\ntotal_inactive_file 1200\ntotal_cache 5\ntotal_pgfault 7",
            "memory/p/memory.failcnt": "2",
            "memory/p/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4",
            "memory/p/cgroup.procs": "1",
            "pids/p/pids.current": "3",
        },
    )
    found = read_group("p", tmp_path)
    assert found == GroupUse(
        cpu=123,
        user=20_000_000,
        system=10_000_000,
        cpu_shares=102,
        cpu_period=100_000,
        memory=1000,
        rss=300,
        cache=5,
        inactive_file=1200,
        refused=2,
        faults=7,
        out_of_memory=4,
        processes=1,
        threads=3,
    )
    assert read_group("/none", tmp_path) is None


def test_this_machine() -> None:
    found = read_group("/")
    assert found is not None and found.cpu > 0
