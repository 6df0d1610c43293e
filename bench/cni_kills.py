"""SIGKILL at random points of ADD and DEL: what is left after a GC. Nothing may be.

Each victim is a fork that has everything loaded, so that the kill falls into the work and not into the interpreter's start.
"""

import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from statistics import median

from bench.cni_lab import Lab
from cni.ports import TABLE
from linux import netns

PODS = 8
TRIES = 5


@dataclass
class Report:
    """How many requests died half-way, and what was left."""

    killed: int = 0
    finished: int = 0
    leaked: list[str] = field(default_factory=list)


def kill_at_random(lab: Lab, *, kills: int, seed: int) -> Report:
    """Kill that many ADDs and DELs of pods with host ports half-way; then GC, and look."""
    chance, report = random.Random(seed), Report()
    for n in range(PODS):
        lab.space(f"k{n}")
    seconds = [_request(lab, "ADD", f"k{n}", None)[1] for n in range(PODS)]  # of the last that were not killed
    while report.killed < kills and report.finished < kills * TRIES:
        command, pod = chance.choice(("ADD", "ADD", "DEL")), f"k{chance.randrange(PODS)}"
        usual = median(seconds)
        died, took = _request(lab, command, pod, chance.uniform(0, usual * (0.9 if command == "ADD" else 3)))
        report.killed += died
        report.finished += not died
        if command == "ADD" and not died:
            seconds = [*seconds[1:], took]
        if (report.killed + report.finished) % 25 == 24:  # a runtime gives up on some of them: their namespaces go
            lab.end(pod)
            lab.space(pod)
    report.leaked = leaks(lab)
    return report


def leaks(lab: Lab) -> list[str]:
    """What is left after a GC that knows of no attachment, and after the namespaces are gone."""
    gc = lab.network(cniVersion="1.1.0") | {"cni.dev/valid-attachments": []}
    answer = lab.call("GC", "", gc)
    found = [] if answer.code == 0 else [f"GC failed: {answer.output.decode()}"]
    found += [f"link {name}" for name in lab.links()]
    found += [f"link in {n}" for n in range(PODS) if "eth0" in lab.spaces[f"k{n}"].run("ip", "-o", "link")]
    tables = json.loads(lab.host.run("nft", "-j", "list", "ruleset"))["nftables"]
    sets = [one[kind] for one in tables for kind in ("map", "set") if kind in one]
    kept = [one for one in sets if one["table"] == TABLE and one.get("elem")]
    found += [f"rule {one['family']} {one['name']} {one['elem']}" for one in kept]
    found += [f"namespace {name}" for name in os.listdir("/run/netns") if lab.owns(name) and name not in lab.names()]
    from cni.ipam import Store

    store = Store(str(lab.data))
    found += [f"address {held.owner}" for held in store.state().attachments]
    store.close()
    found += _given_again(lab)
    return found


def _given_again(lab: Lab) -> list[str]:
    """Every pod must get an address again, each another one."""
    given = []
    for n in range(PODS):
        answer = lab.call("ADD", f"k{n}")
        if answer.code:
            return [f"no ADD for k{n} after GC: {answer.output.decode()}"]
        given.append(answer.body["ips"][0]["address"])
    return [] if len(set(given)) == PODS else [f"addresses given twice: {given}"]


def _request(lab: Lab, command: str, pod: str, kill_after: float | None) -> tuple[bool, float]:
    """Whether the request was killed half-way, and the seconds that it took."""
    port = 8000 + int(pod[1:])
    network = lab.network(runtimeConfig={"portMappings": [{"hostPort": port, "containerPort": 80}]})
    env = {"CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_IFNAME": "eth0", "CNI_NETNS": lab.spaces[pod].path}
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _serve(lab, env, json.dumps(network).encode(), ready_write)
        finally:
            os._exit(code)
    os.close(ready_write)
    os.read(ready_read, 1)
    os.close(ready_read)
    started = time.perf_counter()
    if kill_after is not None:
        while time.perf_counter() - started < kill_after:
            pass  # a sleep would be later than asked by more than a request takes
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if kill_after is None and code != 0:
        raise RuntimeError(f"{command} of {pod} failed with {code}")
    return code < 0, time.perf_counter() - started


def _serve(lab: Lab, env: dict[str, str], body: bytes, ready: int) -> int:
    import linux.nft  # noqa: F401  (loaded before the clock runs)
    from cni import plugin, portmap  # noqa: F401
    from cni.host import KernelHost
    from cni.ipam import Store

    with netns.inside(lab.host.fd):
        store = Store(str(lab.data))
        os.write(ready, b"!")
        code, _ = plugin.answer(env, body, KernelHost(), store)
        return code
