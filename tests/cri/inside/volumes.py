"""Scenes: volumes of all kinds in real containers."""

import subprocess
from pathlib import Path
from typing import Any

from api import codec, kinds
from api.core_v1 import ConfigMap, Pod, Secret, ServiceAccount
from api.meta_v1 import ObjectMeta
from linux.mounts import KernelMounts
from tests.cri.inside.basics import state_of
from tests.cri.stage import DEMO, NODE, Stage, make_pod
from tests.storage_driver import NAME, StorageDriver

HERE = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}
        ]
    }
}


def pod_with(name: str, script: str, volumes: list[dict[str, Any]], mounts: list[dict[str, Any]], **spec: Any) -> Pod:
    """A pod of one container, in the words of a manifest."""
    body = {"name": "a", "image": DEMO, "command": ["sh", "-c", script], "volumeMounts": mounts}
    container = {**body, **spec.pop("container", {})}
    made = codec.from_dict(kinds.POD, {"spec": {"containers": [container], "volumes": volumes, **spec}}).spec
    pod = make_pod(name, *made.containers)
    made.termination_grace_period_seconds = 1
    pod.spec = made
    return pod


async def _said(stage: Stage, name: str, count: int) -> list[str]:
    """The lines of a pod's log, as soon as there are so many; of both streams only one may be used, as each comes its own way."""
    pod = await stage.phase(name, "Running")

    async def enough() -> list[str]:
        lines = (await stage.log(pod, "a")).splitlines()
        assert len(lines) >= count, lines
        return lines

    found: list[str] = await stage.until_async(enough, f"{name} has said {count} lines")
    return found


async def tokens_are_shown_and_renewed(stage: Stage) -> None:
    """A token for its user; a new one appears in the running container; nothing is restarted."""
    meta = ObjectMeta(name="robot", namespace="default")
    await stage.client.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "vault"}}
    await stage.create(
        pod_with(
            "bearer",
            "cat /t/token; echo; stat -L -c '%a %u %g' /t/token; touch /t/x 2>/dev/null || echo readonly; sleep 1000",
            [{"name": "t", "projected": {"sources": [source], "defaultMode": 0o644}}],
            [{"name": "t", "mountPath": "/t"}],
            serviceAccountName="robot",
            securityContext={"runAsUser": 1000, "fsGroup": 2000},
        )
    )
    lines = await _said(stage, "bearer", 3)
    token = lines[0]
    assert token.startswith("default.robot.") and lines[1:] == ["640 1000 2000", "readonly"], lines
    pod = stage.pod("bearer")
    assert pod is not None
    uid = pod.metadata.uid or ""
    ident = state_of(pod, "a").container_id.partition("//")[2]
    mounts = Path("/proc/self/mountinfo").read_text()
    assert "kubernetes.io~projected/t" in mounts, "tokens are in memory"
    link = stage.agent.link
    assert link is not None
    for kept in link.tokens._kept.values():
        kept.renew_at = 0.0  # its time has come
    stage.agent.pods.objects_changed(uid)

    async def renewed() -> bool:
        seen = (await stage.run(ident, "cat", "/t/token")).decode()
        assert seen.startswith("default.robot."), seen
        return seen != token

    await stage.until_async(renewed, "the container sees the new one")
    assert state_of(stage.pod("bearer"), "a").restart_count == 0
    await stage.delete("bearer")
    await stage.until(lambda: not link.tokens._kept, "the token is forgotten")


async def an_account_that_is_missing(stage: Stage) -> None:
    """A pod whose token cannot be had waits, and says why."""
    source = {"serviceAccountToken": {"path": "token"}}
    await stage.create(
        pod_with("nobody", "true", [{"name": "t", "projected": {"sources": [source]}}], [], serviceAccountName="none")
    )
    expected = 'MountVolume.SetUp failed for volume "t" : failed to fetch token: serviceaccounts "none" not found'
    await stage.until(
        lambda: any(e.message == expected and e.reason == "FailedMount" for e in stage.api.objects(kinds.EVENT)), "told"
    )
    status = await stage.until(lambda: state_of(stage.pod("nobody"), "a"), "its status is told")
    pod = stage.pod("nobody")
    assert pod is not None and pod.status.phase == "Pending"
    assert status.state.waiting.reason == "ContainerCreating"


async def parts_of_volumes(stage: Stage) -> None:
    """Directories, files and names from variables; links that lead outside are refused."""
    data = ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "one", "l": "two"})
    await stage.client.create(kinds.CONFIG_MAP, data)
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    await stage.create(
        pod_with(
            "parts",
            "cat /one; echo; echo hi > /logs/x; ls /all/parts; stat -c %a /logs; ls /all; sleep 1000",
            [{"name": "c", "configMap": {"name": "cm"}}, {"name": "d", "emptyDir": {}}],
            [
                {"name": "c", "mountPath": "/one", "subPath": "k"},
                {"name": "d", "mountPath": "/logs", "subPathExpr": "$(POD)"},
                {"name": "d", "mountPath": "/all"},
            ],
            container={"env": env},
        )
    )
    lines = await _said(stage, "parts", 4)
    assert lines[:4] == ["one", "x", "777", "parts"], lines
    await stage.delete("parts")
    place = Path("/var/lib/wherry/subject")
    place.mkdir(exist_ok=True)
    (place / "evil").symlink_to("/etc")
    await stage.create(
        pod_with(
            "escape",
            "ls /e; sleep 1000",
            [{"name": "h", "hostPath": {"path": str(place)}}],
            [{"name": "h", "mountPath": "/e", "subPath": "evil"}],
        )
    )

    def refused() -> bool:
        status = state_of(stage.pod("escape"), "a")
        waiting = status.state.waiting if status and status.state else None
        text = 'failed to create subPath directory for volumeMount "h" of container "a"'
        return bool(waiting and waiting.reason == "CreateContainerConfigError" and waiting.message == text)

    await stage.until(refused, "it is refused")


async def parts_survive_a_restart(stage: Stage) -> None:
    """A container that is started again sees the newest version of the file that it mounts."""
    data = ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "one"})
    await stage.client.create(kinds.CONFIG_MAP, data)
    await stage.create(
        pod_with(
            "again",
            "cat /one; echo; while test ! -e /all/go; do sleep 0.05; done; rm -f /all/go; exit 1",
            [{"name": "c", "configMap": {"name": "cm"}}, {"name": "d", "emptyDir": {}}],
            [{"name": "c", "mountPath": "/one", "subPath": "k"}, {"name": "d", "mountPath": "/all"}],
        )
    )
    assert await _said(stage, "again", 1) == ["one"]
    pod = stage.pod("again")
    assert pod is not None
    root = Path(f"/var/lib/wherry/agent/pods/{pod.metadata.uid}/volumes")
    await stage.client.patch(kinds.CONFIG_MAP, "cm", {"data": {"k": "two"}}, "default")
    shown = root / "kubernetes.io~configmap/c/k"
    await stage.until(lambda: shown.read_text() == "two", "the volume shows the new value")
    (root / "kubernetes.io~empty-dir/d/go").touch()
    await stage.until(lambda: state_of(stage.pod("again"), "a").restart_count == 1, "it is started again")
    pod = stage.pod("again")
    assert pod is not None
    await stage.says(pod, "a", "two", 1)


async def running_containers_see_changes(stage: Stage) -> None:
    """ConfigMaps, Secrets and labels change inside of running containers; what is immutable is not even watched."""
    meta = {name: ObjectMeta(name=name, namespace="default") for name in ("cm", "fixed", "s")}
    await stage.client.create(kinds.CONFIG_MAP, ConfigMap(metadata=meta["cm"], data={"k": "one"}))
    await stage.client.create(kinds.CONFIG_MAP, ConfigMap(metadata=meta["fixed"], data={"k": "f"}, immutable=True))
    await stage.client.create(kinds.SECRET, Secret(metadata=meta["s"], data={"p": b"hush"}))
    fields = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    pod = pod_with(
        "watcher",
        "sleep 1000",
        [
            {"name": "c", "configMap": {"name": "cm"}},
            {"name": "f", "configMap": {"name": "fixed"}},
            {"name": "s", "secret": {"secretName": "s"}},
            {"name": "d", "downwardAPI": fields},
        ],
        [{"name": name, "mountPath": f"/{name}"} for name in "cfsd"],
    )
    pod.metadata.labels = {"app": "x"}
    await stage.create(pod)
    made = await stage.phase("watcher", "Running")
    ident = state_of(made, "a").container_id.partition("//")[2]

    async def shows(path: str, text: str) -> None:
        async def shown() -> bool:
            found = (await stage.run(ident, "cat", path)).decode()
            assert found == text, found
            return True

        await stage.until_async(shown, f"{path} shows {text!r}")

    for path, text in (("/c/k", "one"), ("/f/k", "f"), ("/s/p", "hush"), ("/d/labels", 'app="x"')):
        await shows(path, text)
    await stage.client.patch(kinds.CONFIG_MAP, "cm", {"data": {"k": "two"}}, "default")
    await shows("/c/k", "two")
    await stage.client.patch(kinds.SECRET, "s", {"data": {"p": "bG91ZA=="}}, "default")
    await shows("/s/p", "loud")
    await stage.client.patch(kinds.POD, "watcher", {"metadata": {"labels": {"app": "y"}}}, "default")
    await shows("/d/labels", 'app="y"')
    objects: Any = stage.agent.doors.objects
    assert objects.watches(("ConfigMap", "default", "cm")) and not objects.watches(("ConfigMap", "default", "fixed"))
    assert state_of(stage.pod("watcher"), "a").restart_count == 0


async def _bind(stage: Stage, source: dict[str, Any], claim: str = "c", **spec: Any) -> None:
    """A claim and a volume that are bound, as a controller would do it."""
    body = {
        "metadata": {"name": claim, "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    made = await stage.client.create(
        kinds.PERSISTENT_VOLUME_CLAIM, codec.from_dict(kinds.PERSISTENT_VOLUME_CLAIM, body)
    )
    ref = {"namespace": "default", "name": claim, "uid": made.metadata.uid}
    inner = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": ref, **source, **spec}
    volume = {"metadata": {"name": f"pv-{claim}"}, "spec": inner}
    await stage.client.create(kinds.PERSISTENT_VOLUME, codec.from_dict(kinds.PERSISTENT_VOLUME, volume))
    made.spec.volume_name = f"pv-{claim}"
    stage.api.put(kinds.PERSISTENT_VOLUME_CLAIM, made)
    made.status.phase = "Bound"
    stage.api.put(kinds.PERSISTENT_VOLUME_CLAIM, made)


def claimed(claim: str = "c") -> list[dict[str, Any]]:
    return [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]


async def claims(stage: Stage) -> None:
    """A pod waits for its claim; local volumes keep what was written and belong to the group."""
    await stage.create(
        pod_with(
            "keeper",
            "id -G; echo kept >> /v/file; cat /v/file; stat -c '%a %g' /v; sleep 1000",
            claimed(),
            [{"name": "v", "mountPath": "/v"}],
            securityContext={"runAsUser": 1000, "fsGroup": 2000},
        )
    )
    text = "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process "
    text += 'volumes=[v]: error processing PVC default/c: failed to fetch PVC from API server: persistentvolumeclaims "c" not found'
    await stage.until(lambda: any(e.message == text for e in stage.api.objects(kinds.EVENT)), "it is told")
    disk = Path("/var/lib/wherry/disk")
    disk.mkdir(mode=0o755, exist_ok=True)
    await _bind(stage, {"local": {"path": str(disk)}}, nodeAffinity=HERE)
    lines = await _said(stage, "keeper", 3)
    assert "2000" in lines[0].split() and lines[1:] == ["kept", "2775 2000"], lines
    await stage.delete("keeper")
    assert (disk / "file").read_text() == "kept\n"


async def a_disk_of_its_own(stage: Stage) -> None:
    """hostPath volumes behind claims, read-only where the claim says so."""
    place = Path("/var/lib/wherry/hostdisk")
    place.mkdir(exist_ok=True)
    (place / "file").write_text("there\n")
    await _bind(stage, {"hostPath": {"path": str(place)}})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}]
    script = "cat /v/file; touch /v/x 2>/dev/null || echo readonly; sleep 1000"
    await stage.create(pod_with("reader", script, volumes, [{"name": "v", "mountPath": "/v"}]))
    assert await _said(stage, "reader", 2) == ["there", "readonly"]


async def memory_has_limits(stage: Stage) -> None:
    """emptyDir in memory: as large as it may be, and modes as everybody expects."""
    await stage.create(
        pod_with(
            "small",
            "stat -c %a /m /d; dd if=/dev/zero of=/m/x bs=1024 count=2048 2>/dev/null || echo full; sleep 1000",
            [{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}, {"name": "d", "emptyDir": {}}],
            [{"name": "m", "mountPath": "/m"}, {"name": "d", "mountPath": "/d"}],
        )
    )
    assert await _said(stage, "small", 3) == ["1777", "777", "full"]


async def volumes_in_volumes(stage: Stage) -> None:
    """A volume mounted inside of one that containers may only read."""
    data = ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "one"})
    await stage.client.create(kinds.CONFIG_MAP, data)
    await stage.create(
        pod_with(
            "nested",
            "echo x > /etc/app/inner/file; cat /etc/app/k /etc/app/inner/file; sleep 1000",
            [{"name": "c", "configMap": {"name": "cm"}}, {"name": "d", "emptyDir": {}}],
            [{"name": "c", "mountPath": "/etc/app"}, {"name": "d", "mountPath": "/etc/app/inner"}],
        )
    )
    assert (await _said(stage, "nested", 1))[0] == "onex"


async def mounts_travel(stage: Stage) -> None:
    """What the host mounts later appears in the container, and the other way round, as propagation says."""
    place = Path("/var/lib/wherry/shared")
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", place, place], check=True)
    subprocess.run(["mount", "--make-shared", place], check=True)
    try:
        for name in ("seen", "unseen"):
            mode = {"mountPropagation": "HostToContainer"} if name == "seen" else {}
            await stage.create(
                pod_with(
                    name,
                    "while test ! -e /go/go; do sleep 0.05; done; ls /s/sub; echo end; sleep 1000",
                    [
                        {"name": "s", "hostPath": {"path": str(place)}},
                        {"name": "g", "hostPath": {"path": "/run/wherry"}},
                    ],
                    [{"name": "s", "mountPath": "/s", **mode}, {"name": "g", "mountPath": "/go"}],
                )
            )
            await stage.phase(name, "Running")
        (place / "sub").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "late", place / "sub"], check=True)
        (place / "sub/file").touch()
        Path("/run/wherry/go").touch()
        assert await _said(stage, "seen", 2) == ["file", "end"]
        assert await _said(stage, "unseen", 1) == ["end"]
    finally:
        subprocess.run(["umount", "-R", place], check=True)
        Path("/run/wherry/go").unlink(missing_ok=True)


async def storage_drivers(stage: Stage) -> None:
    """A driver registers; a container writes to its volume; another container finds it there; nothing stays mounted."""
    root, disks = stage.config.root_dir, Path("/var/lib/wherry/disks")
    terms = {"metadata": {"name": NAME}, "spec": {"attachRequired": False}}
    await stage.client.create(kinds.CSI_DRIVER, codec.from_dict(kinds.CSI_DRIVER, terms))
    csi = {"driver": NAME, "volumeHandle": "vol1", "fsType": "ext4"}
    await _bind(stage, {"csi": csi})
    mount = [{"name": "v", "mountPath": "/v"}]
    script = "echo kept >> /v/file; cat /v/file; stat -c '%a %g' /v; sleep 1000"
    group = {"fsGroup": 2000}
    await stage.create(pod_with("first", script, claimed(), mount, securityContext=group))
    waiting = f"driver name {NAME} not found in the list of registered CSI drivers"
    await stage.until(lambda: any(waiting in (e.message or "") for e in stage.api.objects(kinds.EVENT)), "it is told")
    driver = StorageDriver(disks, KernelMounts())
    await driver.start(f"{root}/plugins/{NAME}/csi.sock", f"{root}/plugins_registry/{NAME}-reg.sock")
    lines = await _said(stage, "first", 2)
    assert lines == ["kept", "2775 2000"], lines
    (node,) = stage.api.objects(kinds.CSI_NODE)
    assert [one.name for one in node.spec.drivers] == [NAME]
    await stage.create(pod_with("second", script, claimed(), mount, securityContext=group))
    assert (await _said(stage, "second", 2))[:2] == ["kept", "kept"]
    await stage.delete("first")
    assert "NodeUnstageVolume" not in driver.names(), "the other one has it still"
    await stage.delete("second")
    assert driver.names()[-2:] == ["NodeUnpublishVolume", "NodeUnstageVolume"]
    await stage.until(
        lambda: "/var/lib/wherry/agent" not in Path("/proc/self/mountinfo").read_text(), "nothing stays mounted"
    )
    assert (disks / "vol1/file").read_text() == "kept\nkept\n"
    await driver.stop()
    for path in Path(f"{root}/plugins_registry").iterdir():
        path.unlink()


async def huge_pages(stage: Stage) -> None:
    """A volume of huge pages, where the kernel has them."""
    await stage.create(
        pod_with(
            "huge",
            "grep ' /h ' /proc/mounts | cut -d ' ' -f 3; sleep 1000",
            [{"name": "h", "emptyDir": {"medium": "HugePages-2Mi"}}],
            [{"name": "h", "mountPath": "/h"}],
        )
    )
    await stage.phase("huge", "Running")
    assert " hugetlbfs nodev " in Path("/proc/self/mountinfo").read_text().replace(" - ", " ")


async def images_as_volumes(stage: Stage) -> None:
    """The files of an image, for reading, and parts of them; one that cannot be had says so."""
    script = "/v/bin/busybox echo from the image; ls /b; touch /v/x 2>/dev/null || echo readonly; sleep 1000"
    await stage.create(
        pod_with(
            "album",
            script,
            [{"name": "v", "image": {"reference": DEMO, "pullPolicy": "IfNotPresent"}}],
            [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/b", "subPath": "bin"}],
        )
    )
    await stage.says(await stage.phase("album", "Running"), "a", "readonly")
    lines = await _said(stage, "album", 3)
    assert lines[0] == "from the image" and "busybox" in lines and lines[-1] == "readonly", lines
    await stage.delete("album")
    argv = ["ctr", "-a", stage.config.runtime_endpoint.removeprefix("unix://"), "-n", "k8s.io", "snapshots", "ls"]
    await stage.until(
        lambda: b"wherry-volume" not in subprocess.run(argv, check=True, capture_output=True).stdout,
        "no snapshot is left",
    )
    absent = [{"name": "v", "image": {"reference": "127.0.0.1:1/none:1", "pullPolicy": "IfNotPresent"}}]
    await stage.create(pod_with("absent", "true", absent, [{"name": "v", "mountPath": "/v"}]))

    def told() -> bool:
        status = state_of(stage.pod("absent"), "a")
        waiting = status.state.waiting if status and status.state else None
        return bool(waiting and waiting.reason in ("ErrImagePull", "ImagePullBackOff"))

    await stage.until(told, "it is told")


async def agent_restarts_among_volumes(stage: Stage) -> None:
    """An agent that dies and comes back takes over all sorts of volumes: nothing is made twice, and all of it goes."""
    data = ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "one"})
    await stage.client.create(kinds.CONFIG_MAP, data)
    await stage.client.create(
        kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default"))
    )
    disk = Path("/var/lib/wherry/kept")
    disk.mkdir(exist_ok=True)
    await _bind(stage, {"local": {"path": str(disk)}}, nodeAffinity=HERE)
    token = {"serviceAccountToken": {"path": "token"}}
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in "tmvi"]
    volumes = [
        {"name": "t", "projected": {"sources": [token]}},
        {"name": "m", "emptyDir": {"medium": "Memory"}},
        {"name": "i", "image": {"reference": DEMO, "pullPolicy": "IfNotPresent"}},
        {"name": "c", "configMap": {"name": "cm"}},
        *claimed(),
    ]
    mounts.append({"name": "c", "mountPath": "/one", "subPath": "k"})
    script = "echo x >> /m/file; echo x >> /v/file; cat /m/file /v/file /one; echo; while test ! -e /m/go; do sleep 0.05; done; rm /m/go"
    await stage.create(pod_with("stays", script, volumes, mounts, serviceAccountName="robot"))
    assert await _said(stage, "stays", 3) == ["x", "x", "one"]
    pod = stage.pod("stays")
    assert pod is not None
    ident, uid = state_of(pod, "a").container_id, pod.metadata.uid or ""

    def mounted() -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return sorted(line.split()[4] for line in lines if uid in line.split()[4])

    before = mounted()
    assert len(before) == 5, before
    for end in (stage.stop_agent, stage.kill_agent):
        await end()
        await stage.start_agent()
        await stage.until(lambda: uid in stage.agent.pods.workers, "the agent knows the pod")
        await stage.until(
            lambda: stage.agent.pods.workers[uid].state.memory.volumes_ready, "the volumes are taken over"
        )
        await stage.until(lambda: mounted() == before, "what is mounted is what was")
    assert state_of(stage.pod("stays"), "a").container_id == ident
    Path(f"{stage.config.root_dir}/pods/{uid}/volumes/kubernetes.io~empty-dir/m/go").touch()
    await stage.until(lambda: state_of(stage.pod("stays"), "a").restart_count == 1, "it is started again")
    pod = stage.pod("stays")
    assert pod is not None
    await stage.says(pod, "a", "one", 1)
    assert (await stage.log(pod, "a", 1)).splitlines() == ["x", "x", "x", "x", "one"]
    assert mounted() == before
    await stage.delete("stays")
    assert mounted() == [] and (disk / "file").read_text() == "x\nx\n"
