"""Scenes: volumes of storage drivers that grow, that are devices, that have to be attached; parts of volumes of all kinds."""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from api import codec, kinds
from api.core_v1 import ConfigMap, Secret, ServiceAccount
from api.meta_v1 import ObjectMeta
from kit import pki
from linux.mounts import KernelMounts
from nodeagent.csi.requests import attachment_name
from proto import csi_v1_pb2 as pb
from tests.cri.inside.basics import state_of
from tests.cri.inside.server import _get
from tests.cri.inside.volumes import HERE, _bind, _said, claimed, pod_with
from tests.cri.stage import NODE, Stage
from tests.storage_driver import ABILITY, NAME, StorageDriver

MOUNT = [{"name": "v", "mountPath": "/v"}]
CSI = {"csi": {"driver": NAME, "volumeHandle": "vol1", "fsType": "ext4"}}


@asynccontextmanager
async def _driver(stage: Stage, *abilities: Any, **terms: Any) -> AsyncIterator[StorageDriver]:
    """A driver that is registered."""
    body = {"metadata": {"name": NAME}, "spec": {"attachRequired": False, **terms}}
    await stage.client.create(kinds.CSI_DRIVER, codec.from_dict(kinds.CSI_DRIVER, body))
    root = stage.config.root_dir
    socket = Path(f"{root}/plugins_registry/{NAME}-reg.sock")
    driver = StorageDriver(Path("/var/lib/wherry/disks"), KernelMounts(), (ABILITY.STAGE_UNSTAGE_VOLUME, *abilities))
    await driver.start(f"{root}/plugins/{NAME}/csi.sock", str(socket))
    try:
        yield driver
    finally:
        for pod in stage.api.objects(kinds.POD):
            await stage.delete(pod.metadata.name or "", 0)
        await driver.stop()
        socket.unlink(missing_ok=True)


async def volumes_grow(stage: Stage) -> None:
    """A volume becomes larger while a container uses it; how full it is, is asked of its driver."""
    async with _driver(stage, ABILITY.EXPAND_VOLUME, ABILITY.GET_VOLUME_STATS, ABILITY.VOLUME_CONDITION) as driver:
        driver.condition = pb.VolumeCondition(abnormal=True, message="a disk is missing")
        await _bind(stage, CSI)
        claim = stage.api.objects(kinds.PERSISTENT_VOLUME_CLAIM)[0]
        claim.status.capacity = {"storage": "1Gi"}
        stage.api.put(kinds.PERSISTENT_VOLUME_CLAIM, claim)
        pod = await stage.create(pod_with("grows", "echo here; sleep 1000", claimed(), MOUNT))
        assert await _said(stage, "grows", 1) == ["here"]
        larger = {"capacity": {"storage": "3Gi"}}
        await stage.client.patch(kinds.PERSISTENT_VOLUME, "pv-c", {"spec": larger})
        waits = {
            "allocatedResources": {"storage": "3Gi"},
            "allocatedResourceStatuses": {"storage": "NodeResizePending"},
        }
        told = {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}
        await stage.client.patch(
            kinds.PERSISTENT_VOLUME_CLAIM, "c", {"status": {**waits, **told}}, "default", subresource="status"
        )
        stage.agent.pods.objects_changed(pod.metadata.uid or "")  # as happens once a minute

        def grown() -> bool:
            status = stage.api.objects(kinds.PERSISTENT_VOLUME_CLAIM)[0].status
            done = not status.allocated_resource_statuses and not status.conditions
            return bool(status.capacity == {"storage": "3Gi"} and done)

        await stage.until(grown, "the claim shows the new size")
        assert [r.capacity_range.required_bytes >> 30 for r in driver.asked("NodeExpandVolume")] == [3]
        assert driver.names()[:3] == ["NodeStageVolume", "NodePublishVolume", "NodeExpandVolume"]
        await _told(stage, 'MountVolume.NodeExpandVolume succeeded for volume "pv-c" n1')
        await stage.agrees(lambda: _measured(stage), "it is shown how full it is")
        await _told(stage, "Volume v: a disk is missing")
        assert state_of(stage.pod("grows"), "a").restart_count == 0


async def _measured(stage: Stage) -> None:
    summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
    (shown,) = summary["pods"]
    (volume,) = shown["volume"]
    assert (volume["name"], volume["usedBytes"], volume["inodesUsed"]) == ("v", 300, 7)
    assert volume["pvcRef"] == {"name": "c", "namespace": "default"} and volume["volumeHealthStats"]["abnormal"]
    page = (await _get(stage, "/metrics")).body.decode()
    assert 'kubelet_volume_stats_available_bytes{namespace="default",persistentvolumeclaim="c"} 700' in page


async def _told(stage: Stage, message: str) -> None:
    await stage.until(lambda: any(e.message == message for e in stage.api.objects(kinds.EVENT)), f"told: {message}")


async def devices(stage: Stage) -> None:
    """Volumes that containers have as devices: of a driver, and of this node."""
    device = Path("/var/lib/wherry/device")
    if not device.exists():
        os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(7, 0))
    async with _driver(stage) as driver:
        driver.device = str(device)
        await _bind(stage, CSI, volumeMode="Block")
        await _bind(stage, {"local": {"path": str(device)}}, "local", nodeAffinity=HERE, volumeMode="Block")
        volumes = [*claimed(), {"name": "w", "persistentVolumeClaim": {"claimName": "local"}}]
        wanted = [{"name": "v", "devicePath": "/dev/far"}, {"name": "w", "devicePath": "/dev/near"}]
        script = "stat -c '%F %t:%T' /dev/far /dev/near; sleep 1000"
        await stage.create(pod_with("raw", script, volumes, [], container={"volumeDevices": wanted}))
        assert await _said(stage, "raw", 2) == ["block special file 7:0"] * 2
        await stage.delete("raw")
        assert driver.names()[-2:] == ["NodeUnpublishVolume", "NodeUnstageVolume"]
        mounts = Path("/proc/self/mountinfo")
        await stage.until(lambda: "/var/lib/wherry/agent" not in mounts.read_text(), "nothing stays mounted")


async def volumes_that_are_attached(stage: Stage) -> None:
    """The node names a volume before it uses it, waits until it is attached, and names it until nothing of it is mounted."""
    own = f"kubernetes.io/csi/{NAME}^vol1"

    def named() -> list[str]:
        (node,) = stage.api.objects(kinds.NODE)
        found: list[str] = node.status.volumes_in_use
        return found

    async with _driver(stage, attachRequired=True):
        await _bind(stage, CSI)
        await stage.create(pod_with("waits", "echo here; sleep 1000", claimed(), MOUNT))
        await _told(stage, 'Volume not attached according to node status for volume "pv-c" ')
        await stage.until(lambda: named() == [own], "it is named")
        name = attachment_name("vol1", NAME, NODE)
        spec = {"attacher": NAME, "nodeName": NODE, "source": {"persistentVolumeName": "pv-c"}}
        body = {"metadata": {"name": name}, "spec": spec, "status": {"attached": True}}
        stage.api.put(kinds.VOLUME_ATTACHMENT, codec.from_dict(kinds.VOLUME_ATTACHMENT, body))
        attached = {"status": {"volumesAttached": [{"name": own, "devicePath": ""}]}}
        await stage.client.patch(kinds.NODE, NODE, attached, subresource="status")
        await stage.phase("waits", "Running")
        assert named() == [own]
        await stage.stop_agent()
        await stage.start_agent()
        pod = stage.pod("waits")
        assert pod is not None
        await stage.until(lambda: pod.metadata.uid in stage.agent.pods.workers, "the agent knows the pod")
        assert named() == [own], "another agent says the same"
        await stage.delete("waits")
        await stage.until(lambda: named() == [], "nobody uses it")


async def bundles_of_certificates(stage: Stage) -> None:
    """A pod waits for the certificates that it trusts; those that are added later appear in the running container."""

    def bundle(name: str) -> Any:
        spec = {"signerName": "example.com/x", "trustBundle": pki.make_ca(name).cert.decode()}
        body = {"metadata": {"name": f"example.com:x:{name}", "labels": {"state": "live"}}, "spec": spec}
        return codec.from_dict(kinds.CLUSTER_TRUST_BUNDLE, body)

    source = {"signerName": "example.com/x", "labelSelector": {"matchLabels": {"state": "live"}}, "path": "ca.pem"}
    volumes = [{"name": "v", "projected": {"sources": [{"clusterTrustBundle": source}]}}]
    script = "stat -L -c %a /v/ca.pem; while ! test -e /stop; do sleep 1; done"
    await stage.create(pod_with("trusts", script, volumes, MOUNT))
    why = "combination of signerName and labelSelector matched zero ClusterTrustBundles"
    await _told(stage, f'MountVolume.SetUp failed for volume "v" : {why}')
    await stage.client.create(kinds.CLUSTER_TRUST_BUNDLE, bundle("one"))
    assert await _said(stage, "trusts", 1) == ["644"]
    ident = state_of(stage.pod("trusts"), "a").container_id.partition("//")[2]

    async def count() -> int:
        done = await stage.runtime.exec_sync(ident, ["cat", "/v/ca.pem"], 30)
        return int(done.stdout.decode().count("BEGIN CERTIFICATE"))

    assert await count() == 1
    await stage.client.create(kinds.CLUSTER_TRUST_BUNDLE, bundle("two"))

    async def both() -> bool:
        return await count() == 2

    await stage.until_async(both, "the container sees both")
    await stage.client.delete(kinds.CLUSTER_TRUST_BUNDLE, "example.com:x:one")

    async def other() -> bool:
        return await count() == 1

    await stage.until_async(other, "and then the other one")
    await stage.delete("trusts")
    objects: Any = stage.agent.doors.objects
    assert not objects.watches(("ClusterTrustBundles", "", "")), "nobody wants them"


async def parts_of_all_kinds(stage: Stage) -> None:
    """`subPath` in each kind of volume, also in several places of one."""
    meta = {name: ObjectMeta(name=name, namespace="default") for name in ("cm", "s", "robot")}
    await stage.client.create(kinds.CONFIG_MAP, ConfigMap(metadata=meta["cm"], data={"k": "one"}))
    await stage.client.create(kinds.SECRET, Secret(metadata=meta["s"], data={"k": b"two"}))
    await stage.client.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=meta["robot"]))
    near, far = Path("/var/lib/wherry/near/deep"), Path("/var/lib/wherry/disks/vol1/deep")
    for place, text in ((near, "four"), (far, "five")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "k").write_text(text)
    field = {"path": "in/k", "fieldRef": {"fieldPath": "metadata.name"}}
    async with _driver(stage):
        await _bind(stage, CSI)
        await _bind(stage, {"local": {"path": str(near.parent)}}, "local", nodeAffinity=HERE)
        volumes = [
            {"name": "c", "configMap": {"name": "cm"}},
            {"name": "s", "secret": {"secretName": "s"}},
            {"name": "d", "downwardAPI": {"items": [field]}},
            {
                "name": "p",
                "projected": {"sources": [{"configMap": {"name": "cm"}}, {"downwardAPI": {"items": [field]}}]},
            },
            {"name": "e", "emptyDir": {"medium": "Memory"}},
            {"name": "h", "hostPath": {"path": str(near.parent)}},
            {"name": "l", "persistentVolumeClaim": {"claimName": "local"}},
            *claimed(),
        ]
        parts = {
            "c": "k",
            "s": "k",
            "d": "in/k",
            "p": "in",
            "e": "made/here",
            "h": "deep/k",
            "l": "deep",
            "v": "deep/k",
        }
        mounts = [{"name": name, "mountPath": f"/m/{name}", "subPath": part} for name, part in parts.items()]
        mounts.append({"name": "v", "mountPath": "/m/w", "subPath": "deep"})
        script = "for f in c s d p/k h l/k v w/k; do cat /m/$f; echo; done; touch /m/e/x && ls /m/e; sleep 1000"
        await stage.create(pod_with("parts", script, volumes, mounts, serviceAccountName="robot"))
        said = await _said(stage, "parts", 9)
        assert said == ["one", "two", "parts", "parts", "four", "four", "five", "five", "x"], said
