"""Scenes: volumes on a server for NFS, for kernels that have a client for it."""

from pathlib import Path

import msgspec

from tests.cri.inside.server import _get
from tests.cri.inside.volumes import _bind, _said, claimed, pod_with
from tests.cri.stage import Stage
from tests.nfs_server import OPTIONS, NfsServer


async def nfs(stage: Stage) -> None:
    """Two pods share what is on the server; one may only read, and has a part of it once more; nothing stays mounted."""
    server = NfsServer(Path("/run/export"))
    await _bind(stage, {"nfs": {"server": "127.0.0.1", "path": "/"}}, mountOptions=list(OPTIONS))
    mount = [{"name": "v", "mountPath": "/v"}]
    script = "mkdir -p /v/deep && echo kept > /v/deep/file && cat /v/deep/file; sleep 1000"
    await stage.create(pod_with("writer", script, claimed(), mount, securityContext={"fsGroup": 2000}))
    assert await _said(stage, "writer", 1) == ["kept"]
    assert (server.directory / "deep/file").read_text() == "kept\n"
    assert (server.directory / "deep").stat().st_gid == 0, "files of a server are not given to groups"
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}]
    script = "cat /v/deep/file /p/file; touch /v/x 2>/dev/null || echo readonly; sleep 1000"
    mount.append({"name": "v", "mountPath": "/p", "subPath": "deep"})
    await stage.create(pod_with("reader", script, volumes, mount))
    assert await _said(stage, "reader", 3) == ["kept", "kept", "readonly"]

    async def measured() -> bool:
        summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
        found = [one for pod in summary["pods"] for one in pod.get("volume", [])]
        return [one["pvcRef"]["name"] for one in found if one["capacityBytes"]] == ["c"] * 2

    await stage.until_async(measured, "it is told how full it is")
    for name in ("writer", "reader"):
        await stage.delete(name)
    assert " nfs4 " not in Path("/proc/self/mountinfo").read_text()
    server.close()
