"""The account of a pod: found or waited for, its token mounted, its limits kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import LocalObjectReference, ObjectReference, Pod, ServiceAccount
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import Forbidden
from controlplane.apiserver.admission.accounts import MOUNT_PATH
from tests.scenario.apiserver.conftest import Cluster

NS = "default"


@pytest.fixture
def admin(cluster: Cluster) -> Client:
    cluster.server.core.accounts = True
    return cluster.server.client("admin", "system:masters")


async def account(client: Client, name: str = "default", **fields: Any) -> None:
    meta = ObjectMeta(name=name, namespace=NS, annotations=fields.pop("annotations", {}))
    await client.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=meta, **fields))


def pod(name: str = "p", **spec: Any) -> Pod:
    spec.setdefault("containers", [{"name": "a", "image": "i"}])
    body = {"metadata": {"name": name, "namespace": NS, "annotations": spec.pop("annotations", {})}, "spec": spec}
    return codec.from_dict(kinds.POD, body)


async def test_the_token_is_mounted_where_clients_look(admin: Client):
    await account(admin, image_pull_secrets=[LocalObjectReference(name="registry")])
    own = {"name": "own", "image": "i", "volumeMounts": [{"name": "v", "mountPath": MOUNT_PATH}]}
    made = await admin.create(
        kinds.POD,
        pod(
            containers=[{"name": "a", "image": "i"}, own],
            initContainers=[{"name": "first", "image": "i"}],
            volumes=[{"name": "v", "emptyDir": {}}],
        ),
    )
    volume = made.spec.volumes[1]
    assert volume.name.startswith("kube-api-access-") and len(volume.name) == len("kube-api-access-") + 5
    assert codec.to_dict(made)["spec"]["volumes"][1]["projected"] == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
            {
                "downwardAPI": {
                    "items": [
                        {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}
                    ]
                }
            },
        ],
    }
    (first,) = made.spec.init_containers
    for container in (first, made.spec.containers[0]):
        (mount,) = container.volume_mounts
        assert (mount.name, mount.mount_path, mount.read_only) == (volume.name, MOUNT_PATH, True)
    assert [m.name for m in made.spec.containers[1].volume_mounts] == ["v"]
    assert [s.name for s in made.spec.image_pull_secrets] == ["registry"]
    assert made.spec.service_account_name == made.spec.service_account == "default"


@pytest.mark.parametrize(
    ("accounts_word", "pods_word", "mounted"),
    [(None, None, True), (False, None, False), (False, True, True), (True, False, False), (None, False, False)],
)
async def test_who_says_whether_it_is_mounted(
    admin: Client, accounts_word: bool | None, pods_word: bool | None, mounted: bool
):
    await account(admin, automount_service_account_token=accounts_word)
    wish = {} if pods_word is None else {"automountServiceAccountToken": pods_word}
    made = await admin.create(kinds.POD, pod(**wish))
    assert bool(made.spec.volumes) is mounted


async def test_an_account_that_is_not_there(admin: Client):
    with pytest.raises(Forbidden, match='error looking up service account default/robot: serviceaccount "robot" not f'):
        await admin.create(kinds.POD, pod(serviceAccountName="robot"))
    with pytest.raises(Forbidden, match='pods "p" is forbidden: .*serviceaccount "default" not found'):
        await admin.create(kinds.POD, pod())


async def test_the_default_account_is_waited_for(admin: Client):
    coming = asyncio.create_task(admin.create(kinds.POD, pod()))
    await asyncio.sleep(0.05)
    assert not coming.done()
    await account(admin)
    assert (await coming).spec.volumes


async def test_mirror_pods_have_no_account(admin: Client):
    mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
    made = await admin.create(kinds.POD, pod(**mirror))
    assert made.spec.service_account_name is None and not made.spec.volumes
    for spec, why in (
        ({"serviceAccountName": "a"}, "a mirror pod may not reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, "a mirror pod may not reference secrets"),
        ({"volumes": [{"name": "s", "secret": {"secretName": "s"}}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ):
        with pytest.raises(Forbidden, match=why):
            await admin.create(kinds.POD, pod("m", **mirror, **spec))


async def test_an_account_may_limit_secrets(admin: Client):
    marked = {"kubernetes.io/enforce-mountable-secrets": "true"}
    await account(admin, secrets=[ObjectReference(name="mine")], annotations=marked)
    env = [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}]
    for spec, why in (
        ({"volumes": [{"name": "s", "secret": {"secretName": "other"}}]}, 'volume with secret.secretName="other" is'),
        (
            {"containers": [{"name": "a", "image": "i", "env": env}]},
            'container a with envVar E referencing secret.secretName="other" is not allowed because service account def',
        ),
        ({"imagePullSecrets": [{"name": "other"}]}, r'imagePullSecrets\[0\].name="other" is not allowed'),
    ):
        with pytest.raises(Forbidden, match=why):
            await admin.create(kinds.POD, pod(**spec))
    made = await admin.create(kinds.POD, pod(volumes=[{"name": "s", "secret": {"secretName": "mine"}}]))
    debugger = {"name": "d", "image": "i", "envFrom": [{"secretRef": {"name": "other"}}]}
    changed = codec.from_dict(kinds.POD, codec.to_dict(made))
    changed.spec.ephemeral_containers = codec.from_dict(
        kinds.POD, {"spec": {"ephemeralContainers": [debugger]}}
    ).spec.ephemeral_containers
    with pytest.raises(Forbidden, match="ephemeral container d with envFrom referencing"):
        await admin.update(kinds.POD, changed, subresource="ephemeralcontainers")
