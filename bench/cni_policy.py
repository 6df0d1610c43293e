"""NetworkPolicies: from a change to its enforcement, with 1,000 pods of which 100 are on this node, and 100 policies.

Policies and pods are read from JSON as the API server sends it and written into nf_tables of a namespace of our own; a
figure ends when the kernel has acknowledged. All that a watch would bring is measured, without the watch.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from bench.cni_lab import Lab
from bench.frame import Metric, measured, percentile
from cni.policy import objects
from cni.policy.enforcer import Enforcer
from kit.clock import SystemClock
from linux.nft import Kernel

PODS, POLICIES, NODES, NAMESPACES, APPS = 1000, 100, 10, 10, 20
GOAL_MS = 50.0


def run(one: Lab, turns: int) -> Iterator[Metric]:
    """Measure in the lab's host."""
    times = asyncio.run(_measure(one, turns))
    for what, taken in times.items():
        yield measured(f"cni.policy_{what}_ms", "ms", statistics.median(taken), goal=("<=", GOAL_MS), n=len(taken))
        if len(taken) > 1:
            yield measured(f"cni.policy_{what}_p99_ms", "ms", percentile(taken, 99), n=len(taken))


async def _measure(one: Lab, turns: int) -> dict[str, list[float]]:
    enforcer = Enforcer("node-0", "wherry0", SystemClock(), lambda: one.host.visit(Kernel))
    known = asyncio.Event()
    running = asyncio.create_task(enforcer.run([known]))
    try:
        for number in range(NAMESPACES):
            enforcer.on_namespace(f"ns-{number}", None, {"team": f"t{number % 3}"})
        for number in range(PODS):
            _tell_pod(enforcer, number, number % APPS)
        for number in range(POLICIES):
            _tell_policy(enforcer, number, number % APPS)
        known.set()
        await enforcer.settled.wait()
        return await _turns(enforcer, turns)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _turns(enforcer: Enforcer, turns: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"change": [], "pod": []}
    for turn in range(turns):
        app = (turn + 1) % APPS
        times["change"].append(await _timed(enforcer, partial(_tell_policy, enforcer, turn % POLICIES, app)))
        times["pod"].append(await _timed(enforcer, partial(_tell_pod, enforcer, turn % PODS, app + 1)))
    return times


async def _timed(enforcer: Enforcer, tell: Callable[[], object]) -> float:
    started = time.perf_counter()
    tell()
    await enforcer.settled.wait()
    return (time.perf_counter() - started) * 1000


def _tell_pod(enforcer: Enforcer, number: int, app: int) -> None:
    namespace, name = f"ns-{number % NAMESPACES}", f"pod-{number}"
    node = number // NAMESPACES % NODES
    body = {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"app": f"a{app % APPS}", "tier": f"r{number % 4}"},
        },
        "spec": {
            "nodeName": f"node-{node}",
            "containers": [{"ports": [{"name": "web", "containerPort": 8000 + number % 7}]}],
        },
        "status": {
            "podIPs": [{"ip": f"10.244.{node}.{number // 100 + 10 * (number % 10) + 2}"}, {"ip": f"fd00::{number:x}"}]
        },
    }
    facts, key = objects.pod(json.dumps(body).encode()), f"{namespace}/{name}"
    enforcer.on_pod(key, enforcer.ledger.pods.get(key), facts)


def _tell_policy(enforcer: Enforcer, number: int, app: int) -> None:
    peers = [
        {"podSelector": {"matchLabels": {"app": f"a{(app + 1) % APPS}"}}},
        {"namespaceSelector": {"matchLabels": {"team": f"t{number % 3}"}}},
        {"ipBlock": {"cidr": f"192.0.2.{number}/32"}},
    ]
    ports = [{"port": 80}, {"port": "web"}, {"port": 9000, "endPort": 9100, "protocol": "UDP"}]
    spec = {
        "podSelector": {"matchLabels": {"app": f"a{app}"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": peers, "ports": ports}],
        "egress": [{"to": peers}],
    }
    meta = {"namespace": f"ns-{number % NAMESPACES}", "name": f"policy-{number}"}
    facts = objects.policy(json.dumps({"metadata": meta, "spec": spec}).encode())
    enforcer.on_policy(facts.key, enforcer.ledger.policies.get(facts.key), facts)
