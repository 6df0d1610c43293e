"""A whole control plane on TLS, as `wherry controlplane` wires it, and a node that only says that its pods run."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api import codec, kinds, times
from api.core_v1 import Pod
from client import Client, Informer
from client.errors import ApiError, NotFound
from client.http import HttpTransport
from client.kubeconfig import load as load_kubeconfig
from controlplane import app
from controlplane.config import load
from kit import pki
from kit.clock import SystemClock
from kit.supervisor import Supervisor
from testbed.ports import free_port

PATIENCE = 180.0
QUIET = 3  # looks in a row without a write make rest
NODE = "n1"

_WRITES = re.compile(rb'^apiserver_current_inflight_requests\{request_kind="mutating"\} (\S+)$', re.MULTILINE)


@dataclass
class World:
    """A control plane that runs, and the administrator's way to it."""

    directory: Path
    address: str
    ca: pki.Pair
    kubeconfig: Path
    client: Client
    supervisor: Supervisor

    def kubeconfig_of(self, user: str, *groups: str) -> Path:
        """A kubeconfig with a fresh client certificate."""
        return write_kubeconfig(self.directory, self.address, self.ca, user, *groups)

    async def rest(self) -> None:
        """Until the controllers have done their part: the server tells of no write between one look and the next."""
        quiet = 0
        async with asyncio.timeout(PATIENCE):
            while quiet < QUIET:
                await asyncio.sleep(0.03)
                found = _WRITES.search(await self.client.transport.request("GET", "/metrics", {}))
                assert found, "no count of the writes"
                quiet = 0 if float(found[1]) else quiet + 1


def write_kubeconfig(directory: Path, address: str, ca: pki.Pair, user: str, *groups: str) -> Path:
    """A kubeconfig file for a user."""
    pair = pki.issue(ca, user, groups, client=True)
    coded = {name: base64.b64encode(data).decode() for name, data in (("cert", pair.cert), ("key", pair.key))}
    cluster = {"server": f"https://{address}", "certificate-authority-data": base64.b64encode(ca.cert).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": {"client-certificate-data": coded["cert"], "client-key-data": coded["key"]}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
    }
    path = directory / f"{user.replace(':', '-')}.kubeconfig"
    path.write_text(json.dumps(document))
    return path


def configuration(directory: Path, address: str, ca: pki.Pair) -> Path:
    """controlplane.yaml and the certificates that it names."""
    pairs = {
        "ca": ca,
        "serving": pki.issue(ca, "apiserver", dns=["localhost"], ips=["127.0.0.1"], server=True),
        "kubelet-client": pki.issue(ca, "kubelet-client", client=True),
    }
    for name, pair in pairs.items():
        pair.save(directory / f"{name}.crt", directory / f"{name}.key")
    (directory / "sa.key").write_bytes(pki.make_key())
    names = {
        "caCert": "ca.crt",
        "servingCert": "serving.crt",
        "servingKey": "serving.key",
        "kubeletClientCert": "kubelet-client.crt",
        "kubeletClientKey": "kubelet-client.key",
        "serviceAccountKey": "sa.key",
    }
    document = {
        "dataDir": str(directory / "data"),
        "listen": [address],
        "advertiseAddress": "192.0.2.10",
        "pki": {field: str(directory / file) for field, file in names.items()},
        "podCidr": "10.244.0.0/16",
        "nodeCidrSize": 24,
        "serviceCidr": "10.96.0.0/12",
        "nodePortRange": "30000-32767",
    }
    path = directory / "controlplane.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@asynccontextmanager
async def running(directory: Path, *, node: bool = False) -> AsyncIterator[World]:
    """A control plane below `directory`, with one node if asked for."""
    address = f"127.0.0.1:{free_port()}"
    ca = pki.make_ca("test")
    config = load(configuration(directory, address, ca))
    async with Supervisor(signals=False, grace=1) as supervisor:
        await app.run(config, supervisor)
        kubeconfig = write_kubeconfig(directory, address, ca, "admin", "system:masters")
        client = Client(HttpTransport(load_kubeconfig(kubeconfig)))
        try:
            await _until_there(client)
            if node:
                await join(client, supervisor)
            yield World(directory, address, ca, kubeconfig, client, supervisor)
        finally:
            await client.close()
            supervisor.stop()


async def _until_there(client: Client) -> None:
    """Until the namespace `default` has what the controllers put there."""
    async with asyncio.timeout(PATIENCE):
        for kind, name in ((kinds.SERVICE_ACCOUNT, "default"), (kinds.CONFIG_MAP, "kube-root-ca.crt")):
            while True:
                try:
                    await client.get(kind, name, "default")
                    break
                except NotFound:
                    await asyncio.sleep(0.02)


class StandInNode:
    """Says of every pod of its node that it runs, and lets those go that are told to go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self.pods: Informer[Pod] = Informer(client, kinds.POD, lambda data: codec.decode(kinds.POD, data))
        self.pods.subscribe(self._changed)
        self._addresses = 0

    async def renew(self) -> None:
        """Signs of life."""
        while True:
            lease = {"spec": {"holderIdentity": NODE, "renewTime": times.format_micro_time(SystemClock().now())}}
            await self._client.patch(kinds.LEASE, NODE, lease, "kube-node-lease")
            await asyncio.sleep(5)

    def _changed(self, _: str, __: Pod | None, pod: Pod | None) -> None:
        if pod is not None and pod.spec.node_name == NODE:
            task = asyncio.create_task(self._report(pod))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, pod: Pod) -> None:
        name, namespace = pod.metadata.name or "", pod.metadata.namespace or ""
        try:
            if pod.metadata.deletion_timestamp:
                await self._client.delete(kinds.POD, name, namespace, grace=0, uid=pod.metadata.uid or "")
            elif pod.status.phase == "Pending":
                self._addresses += 1
                status = _running(pod, f"10.244.0.{self._addresses}")
                await self._client.patch(kinds.POD, name, {"status": status}, namespace, subresource="status")
        except ApiError:
            return  # gone or changed meanwhile


def _running(pod: Pod, address: str) -> dict[str, Any]:
    then = "2026-01-01T00:00:00Z"
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
    return {
        "phase": "Running",
        "hostIP": "192.0.2.21",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": then,
        "conditions": [{"type": name, "status": "True", "lastTransitionTime": then} for name in conditions],
        "containerStatuses": [
            {
                "name": container.name,
                "image": container.image,
                "imageID": f"{container.image}@sha256:1",
                "containerID": f"containerd://{container.name}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": then}},
            }
            for container in pod.spec.containers
        ],
    }


async def join(client: Client, supervisor: Supervisor) -> None:
    """Make the node and let it work."""
    node = {"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}}}
    await client.create(kinds.NODE, codec.from_dict(kinds.NODE, node))
    room = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    conditions = [
        {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory", "message": "enough"},
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"},
    ]
    facts = {
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://1.6.20",
        "kernelVersion": "6.1.0",
        "kubeletVersion": "v1.36.0+wherry",
        "operatingSystem": "linux",
        "osImage": "Debian GNU/Linux 12",
    }
    addresses = [{"type": "InternalIP", "address": "192.0.2.21"}, {"type": "Hostname", "address": NODE}]
    status = {
        "allocatable": room,
        "capacity": room,
        "conditions": conditions,
        "nodeInfo": facts,
        "addresses": addresses,
    }
    await client.patch(kinds.NODE, NODE, {"status": status}, subresource="status")
    lease = {"metadata": {"name": NODE, "namespace": "kube-node-lease"}, "spec": {"leaseDurationSeconds": 40}}
    await client.create(kinds.LEASE, codec.from_dict(kinds.LEASE, lease))
    node_itself = StandInNode(client)
    supervisor.spawn("stand-in-pods", node_itself.pods.run)
    supervisor.spawn("stand-in-lease", node_itself.renew, restart=True)
    async with asyncio.timeout(PATIENCE):
        while (await client.get(kinds.NODE, NODE)).spec.taints:
            await asyncio.sleep(0.02)
