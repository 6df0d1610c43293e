"""The daemon's socket and the plugin that talks to it: forms, limits, neighbours, and what the plugin costs at start."""

import ast
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cni import conflist, install, shim
from cni.daemon import MOST_BYTES, PATIENCE, Daemon
from cni.host_fake import FakeHost
from cni.ipam import Store
from kit.clock import FakeClock

NET = {"cniVersion": "1.0.0", "name": "pods", "type": "wherry-cni", "ipam": {"subnet": "10.1.0.0/16"}}


class Running:
    def __init__(self, host: FakeHost, clock: FakeClock, path: Path) -> None:
        self.host = host
        self.clock = clock
        self.path = path

    async def raw(self, data: bytes, *, end: bool = True) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        if end:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def call(self, command: str, pod: str) -> tuple[int, dict[str, object]]:
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_IFNAME": "eth0", "CNI_NETNS": f"/ns/{pod}"}
        packed = "\0".join(f"{key}={value}" for key, value in env.items()).encode()
        body = json.dumps(NET).encode()
        answer = await self.raw(b"%d %d\n" % (len(packed), len(body)) + packed + body)
        head, _, output = answer.partition(b"\n")
        assert int(head.split()[1]) == len(output)
        return int(head.split()[0]), json.loads(output or b"{}")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    host, clock = FakeHost(), FakeClock()
    daemon = Daemon(Store(str(tmp_path / "data")), lambda: host, clock)
    task = asyncio.create_task(daemon.run(tmp_path / "run" / "cni.sock"))
    while not (tmp_path / "run" / "cni.sock").exists():
        await asyncio.sleep(0.001)
    yield Running(host, clock, tmp_path / "run" / "cni.sock")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    daemon.close()
    assert not (tmp_path / "run" / "cni.sock").exists()


async def test_requests_of_many_pods_at_once(running: Running) -> None:
    for n in range(40):
        running.host.make_pod(f"/ns/p{n}")
    answers = await asyncio.gather(*(running.call("ADD", f"p{n}") for n in range(40)))
    assert [code for code, _ in answers] == [0] * 40
    assert len({answer["ips"][0]["address"] for _, answer in answers}) == 40  # type: ignore[index]
    answers = await asyncio.gather(*(running.call("DEL", f"p{n}") for n in range(40)))
    assert [code for code, _ in answers] == [0] * 40


async def test_requests_for_one_pod_follow_one_another(running: Running) -> None:
    running.host.make_pod("/ns/a")
    answers = await asyncio.gather(*(running.call("ADD", "a") for _ in range(10)))
    assert sorted(code for code, _ in answers) == [0] + [1] * 9
    assert {error.get("code") for code, error in answers if code} == {104}


async def test_the_socket_is_roots_alone(running: Running) -> None:
    assert os.stat(running.path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"x y\n",
        b"5\n",
        b"-1 3\n",
        b"%d 1\n" % (MOST_BYTES + 1),
        b"10 10\nabc",
        b"x" * 100_000,
        b"\xff\xfe\n",
    ],
)
async def test_a_broken_request_is_dropped_and_hurts_nobody(running: Running, data: bytes) -> None:
    running.host.make_pod("/ns/a")
    slow = asyncio.create_task(running.raw(b"10 10\n", end=False))
    assert await running.raw(data) == b""
    assert (await running.call("ADD", "a"))[0] == 0
    await running.clock.advance(PATIENCE)
    assert await slow == b""


async def test_a_refusal_is_an_answer(running: Running) -> None:
    code, error = await running.call("ADD", "nobody")
    assert (code, error["code"]) == (1, 3)


async def test_what_others_took_away_is_put_back(running: Running) -> None:
    running.host.make_pod("/ns/a")
    await running.call("ADD", "a")
    running.host.rules.flush()
    await running.clock.advance(2)
    while not running.host.has_table(2, "wherry-cni"):
        await asyncio.sleep(0.001)


async def test_the_plugin_is_a_client_of_the_daemon(running: Running, tmp_path: Path) -> None:
    running.host.make_pod("/ns/a")
    plugin = install.install(tmp_path / "bin", sys.executable, running.path, data_dir=tmp_path / "alone")[0]
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "a", "CNI_IFNAME": "eth0", "CNI_NETNS": "/ns/a"}
    done = await asyncio.to_thread(
        subprocess.run, [plugin], input=json.dumps(NET).encode(), env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["ips"][0]["address"] == "10.1.0.2/16"
    done = await asyncio.to_thread(subprocess.run, [plugin], input=b"{", env=env, capture_output=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == 6
    assert not (tmp_path / "alone").exists()


async def test_a_daemon_that_ends_leaves_its_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "cni.sock"
    tasks = []
    for _ in range(2):
        daemon = Daemon(Store(str(tmp_path / "data")), FakeHost, FakeClock())
        before = path.stat().st_ino if path.exists() else 0
        tasks.append(asyncio.create_task(daemon.run(path)))
        while not path.exists() or path.stat().st_ino == before:
            await asyncio.sleep(0.001)
    for task, still_there in zip(tasks, (True, False), strict=True):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert path.exists() is still_there


def test_without_a_daemon_the_plugin_does_it_alone(tmp_path: Path) -> None:
    plugin = install.install(tmp_path / "bin", sys.executable, tmp_path / "no.sock", data_dir=tmp_path / "data")[0]
    done = subprocess.run(
        [plugin], input=b'{"cniVersion": "0.4.0"}', env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["cniVersion"] == "0.4.0"
    done = subprocess.run([plugin], input=b"{}", env={"CNI_COMMAND": "what"}, capture_output=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == 4


def test_the_plugin_imports_next_to_nothing() -> None:
    tree = ast.parse(Path(shim.__file__).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node) for node in imports} == {"import posix", "import _socket"}
    inside = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}
    assert inside - {"import posix", "import _socket"} == {"import gc", "import sys", "from cni.__main__ import serve"}


def test_the_stand_alone_path_loads_nothing_heavy() -> None:
    script = "import sys, cni.__main__; print(*sys.modules)"
    root = Path(shim.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=root, env={"PYTHONPATH": "."}, capture_output=True, check=True
    )
    loaded = set(done.stdout.decode().split())
    assert loaded.isdisjoint(
        {"asyncio", "dataclasses", "inspect", "logging", "msgspec", "ipaddress", "linux.nft", "hashlib"}
    )


def test_installing_again_replaces_and_bad_paths_are_refused(tmp_path: Path) -> None:
    home = tmp_path / install.HOME
    for name in ("a", "b"):
        written = install.install(tmp_path, "/usr/bin/python3", f"/run/wherry/{name}.sock")
    assert sorted(path.name for path in tmp_path.iterdir()) == [install.HOME, "loopback", "wherry-cni"]
    assert (home / f"{install.CLIENT}.py").read_text().count("/run/wherry/b.sock") == 1
    assert len(list((home / "__pycache__").iterdir())) == 1
    assert written[0].read_text().startswith("#!/usr/bin/python3 -ISE\n")
    assert os.access(written[0], os.X_OK)
    for bad in ("relative/path", '/a"b'):
        with pytest.raises(install.InstallError, match="not an absolute path"):
            install.install(tmp_path, bad, "/run/wherry/cni.sock")
    with pytest.raises(install.InstallError, match="cannot install"):
        install.install(tmp_path / "loopback", "/usr/bin/python3", "/run/wherry/cni.sock")


def test_the_network_configuration_list(tmp_path: Path) -> None:
    path = conflist.write(tmp_path / "net.d", "10.244.7.0/24,fd00:7::/64", "10.244.0.0/16,fd00::/16", "wherry0", 1450)
    written = json.loads(path.read_text())
    assert (path.name, written["cniVersion"], written["name"]) == ("10-wherry.conflist", "1.0.0", "wherry")
    plugin = written["plugins"][0]
    assert plugin["ipam"]["ranges"] == [[{"subnet": "10.244.7.0/24"}], [{"subnet": "fd00:7::/64"}]]
    assert (plugin["mtu"], plugin["clusterCidr"], plugin["ipMasq"]) == (1450, "10.244.0.0/16,fd00::/16", True)
    before = path.stat().st_mtime_ns
    conflist.write(tmp_path / "net.d", "10.244.7.0/24,fd00:7::/64", "10.244.0.0/16,fd00::/16", "wherry0", 1450)
    assert path.stat().st_mtime_ns == before
    assert len(list(path.parent.iterdir())) == 1
    conflist.write(path.parent, "10.244.7.0/24", "10.244.0.0/16", masquerade=False)
    assert json.loads(path.read_text())["plugins"][0]["ipMasq"] is False


@pytest.mark.parametrize("pods", ["", "10.244.0.0", "nonsense/24"])
def test_a_list_of_nonsense_is_not_written(tmp_path: Path, pods: str) -> None:
    with pytest.raises(conflist.ConflistError, match="cannot make a network configuration"):
        conflist.write(tmp_path, pods, "10.244.0.0/16")
    assert list(tmp_path.iterdir()) == []
