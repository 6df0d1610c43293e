"""What storage drivers are asked for, by table."""

import json
from dataclasses import replace
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Pod
from nodeagent.csi.requests import (
    Terms,
    attachment_name,
    capability,
    gives_to_group,
    inline_handle,
    lifecycle_problem,
    pod_facts,
    terms_of,
    token_facts,
    wanted_of,
)
from nodeagent.render.settings import Token, TokenWish
from nodeagent.volumes.resolved import Claimed, resolve
from proto import csi_v1_pb2 as pb
from tests.unit.nodeagent.pods import pod

MODE = pb.VolumeCapability.AccessMode


def inline(**source: Any) -> tuple[Pod, Any]:
    body = {"spec": {"volumes": [{"name": "v", "csi": {"driver": "d", **source}}]}}
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, body).spec.volumes)
    return wanted, wanted_of(wanted, resolve(wanted.spec.volumes[0], {}))


def persistent(read_only: bool = False, modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: Any) -> tuple[Pod, Any]:
    source = {"driver": "d", "volumeHandle": "h", "fsType": "ext4", **spec.pop("csi", {})}
    body = {"metadata": {"name": "pv"}, "spec": {"csi": source, "accessModes": list(modes), **spec}}
    volume = codec.from_dict(kinds.PERSISTENT_VOLUME, body)
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "c", "readOnly": read_only}}
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, {"spec": {"volumes": [claim]}}).spec.volumes)
    resolved = resolve(wanted.spec.volumes[0], {"v": Claimed(None, volume)})
    return wanted, wanted_of(wanted, resolved)


def test_inline_volumes_have_handles_of_their_own() -> None:
    _, wanted = inline(fsType="xfs", readOnly=True, nodePublishSecretRef={"name": "s"}, volumeAttributes={"a": "b"})
    assert (wanted.handle, wanted.label, wanted.inline) == (inline_handle("u", "v"), "v", True)
    assert (wanted.read_only, wanted.fs_type, wanted.publish_secret) == (True, "xfs", ("ns", "s"))
    assert wanted.context == {"a": "b"} and len(wanted.handle) == 68
    assert attachment_name("h", "d", "n") != attachment_name("h", "d", "m")


def test_persistent_volumes() -> None:
    refs = {
        "nodeStageSecretRef": {"name": "st", "namespace": "x"},
        "nodePublishSecretRef": {"name": "p", "namespace": "y"},
    }
    _, wanted = persistent(csi=refs, mountOptions=["noatime"], read_only=True)
    assert (wanted.handle, wanted.label, wanted.inline, wanted.options) == ("h", "pv", False, ("noatime",))
    assert (wanted.stage_secret, wanted.publish_secret) == (("x", "st"), ("y", "p"))
    assert wanted.read_only and persistent(csi={"readOnly": True})[1].read_only


CAPABILITIES: list[tuple[tuple[str, ...], bool, Any]] = [
    (("ReadWriteOnce",), False, MODE.SINGLE_NODE_WRITER),
    (("ReadWriteOnce",), True, MODE.SINGLE_NODE_MULTI_WRITER),
    (("ReadWriteOncePod",), False, MODE.SINGLE_NODE_WRITER),
    (("ReadWriteOncePod",), True, MODE.SINGLE_NODE_SINGLE_WRITER),
    (("ReadOnlyMany",), False, MODE.MULTI_NODE_READER_ONLY),
    (("ReadWriteMany", "ReadWriteOnce"), True, MODE.MULTI_NODE_MULTI_WRITER),
    ((), False, MODE.SINGLE_NODE_WRITER),
]


@pytest.mark.parametrize(("modes", "fine", "expected"), CAPABILITIES)
def test_modes_of_access(modes: tuple[str, ...], fine: bool, expected: Any) -> None:
    assert capability(persistent(modes=modes)[1], None, fine_modes=fine).access_mode.mode == expected


def test_capabilities() -> None:
    made = capability(persistent(mountOptions=["a"])[1], 2000, fine_modes=False)
    assert (made.mount.fs_type, list(made.mount.mount_flags), made.mount.volume_mount_group) == ("ext4", ["a"], "2000")
    assert capability(persistent(volumeMode="Block")[1], None, fine_modes=False).WhichOneof("access_type") == "block"


GROUPS: list[tuple[dict[str, Any], str, bool]] = [
    ({}, "ReadWriteOnceWithFSType", True),
    ({"csi": {"fsType": ""}}, "ReadWriteOnceWithFSType", False),
    ({"modes": ("ReadWriteMany",)}, "ReadWriteOnceWithFSType", False),
    ({"modes": ("ReadWriteMany",)}, "File", True),
    ({}, "None", False),
    ({"read_only": True}, "File", False),
    ({"volumeMode": "Block"}, "File", False),
]


@pytest.mark.parametrize(("volume", "policy", "given"), GROUPS)
def test_who_cares_for_the_group(volume: dict[str, Any], policy: str, given: bool) -> None:
    wanted = persistent(**volume)[1]
    assert gives_to_group(wanted, Terms(group_policy=policy), 2000) is given
    assert not gives_to_group(wanted, Terms(group_policy=policy), None)


def test_which_volumes_a_driver_does() -> None:
    known, both = Terms(known=True), Terms(known=True, modes=("Persistent", "Ephemeral"))
    assert (
        lifecycle_problem(inline()[1], Terms())
        == 'volume mode "Ephemeral" not supported by driver d (no CSIDriver object)'
    )
    assert lifecycle_problem(inline()[1], known) == (
        'volume mode "Ephemeral" not supported by driver d (only supports ["Persistent"])'
    )
    assert lifecycle_problem(inline()[1], both) == lifecycle_problem(persistent()[1], both) == ""
    assert lifecycle_problem(persistent()[1], Terms()) == ""
    assert lifecycle_problem(persistent()[1], replace(known, modes=("Ephemeral",)))


def test_the_terms_of_a_driver() -> None:
    spec = {
        "attachRequired": False,
        "podInfoOnMount": True,
        "fsGroupPolicy": "File",
        "volumeLifecycleModes": ["Ephemeral"],
        "tokenRequests": [{"audience": "a", "expirationSeconds": 600}, {"audience": ""}],
        "requiresRepublish": True,
    }
    found = codec.from_dict(kinds.CSI_DRIVER, {"metadata": {"name": "d"}, "spec": spec})
    tokens = (TokenWish("a", 600), TokenWish("", 3600))
    assert terms_of(found) == Terms(True, False, True, ("Ephemeral",), "File", tokens, False, True)


def test_what_drivers_are_told_of_pods() -> None:
    wanted, volume = inline()
    wanted.spec.service_account_name = "robot"
    prefix = "csi.storage.k8s.io"
    assert pod_facts(wanted, volume) == {
        f"{prefix}/pod.name": "p",
        f"{prefix}/pod.namespace": "ns",
        f"{prefix}/pod.uid": "u",
        f"{prefix}/serviceAccount.name": "robot",
        f"{prefix}/ephemeral": "true",
    }
    shown = token_facts({TokenWish("a", 600): Token("x", expires="2026-01-01T00:00:00Z")})
    (text,) = shown.values()
    assert json.loads(text) == {"a": {"token": "x", "expirationTimestamp": "2026-01-01T00:00:00Z"}}
    assert token_facts({}) == {}
