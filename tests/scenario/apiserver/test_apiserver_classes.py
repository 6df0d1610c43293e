"""What pods, claims, Ingresses and certificate requests get from classes, and what they are refused for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Toleration
from client import errors
from client.client import Client
from controlplane.apiserver.admission.classes import merge_tolerations
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit.clock import SystemClock
from kit.supervisor import Supervisor

CONTAINERS = [{"name": "app", "image": "app:1"}]


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Client]:
    async with Supervisor(signals=False) as supervisor:
        store = await SqliteStore.open(tmp_path / "store.db", SystemClock())
        supervisor.defer("store", store.close)
        server = ApiServer(store, Settings("192.0.2.10"), SystemClock())
        await server.start(supervisor)
        yield server.client("admin", "system:masters")
        supervisor.stop()


async def make(admin: Client, kind: Any, name: str, annotations: dict[str, str] | None = None, **fields: Any) -> Any:
    meta = {"name": name, "annotations": annotations or {}} | ({"namespace": "default"} if kind.namespaced else {})
    return await admin.create(kind, codec.from_dict(kind, {"metadata": meta, **fields}))


async def pod(admin: Client, name: str, **spec: Any) -> Any:
    return await make(admin, kinds.POD, name, spec={"containers": CONTAINERS} | spec)


async def test_a_priority_class_gives_its_number_and_policy(admin: Client) -> None:
    await make(admin, kinds.PRIORITY_CLASS, "high", value=1000, preemptionPolicy="Never")
    made = await pod(admin, "a", priorityClassName="high")
    assert (made.spec.priority, made.spec.preemption_policy) == (1000, "Never")
    made = await pod(admin, "b", priorityClassName="system-node-critical")
    assert (made.spec.priority, made.spec.preemption_policy) == (2_000_001_000, "PreemptLowerPriority")
    made = await pod(admin, "c")
    assert (made.spec.priority, made.spec.priority_class_name) == (0, None)


async def test_the_default_class_is_for_those_who_name_none(admin: Client) -> None:
    await make(admin, kinds.PRIORITY_CLASS, "usual", value=7, globalDefault=True)
    made = await pod(admin, "a")
    assert (made.spec.priority, made.spec.priority_class_name) == (7, "usual")
    with pytest.raises(
        errors.Forbidden, match="PriorityClass usual is already marked as default. Only one default can"
    ):
        await make(admin, kinds.PRIORITY_CLASS, "other", value=8, globalDefault=True)
    usual = await admin.get(kinds.PRIORITY_CLASS, "usual")
    usual.description = '"globalDefault":true'
    await admin.update(kinds.PRIORITY_CLASS, usual)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"priorityClassName": "none"}, 'pods "a" is forbidden: no PriorityClass with name none was found'),
        (
            {"priority": 5},
            r"integer value of priority \(5\) must not be provided in pod spec; .* computed 0 from the given",
        ),
        (
            {"preemptionPolicy": "Never"},
            r"string value of PreemptionPolicy \(Never\) must not be provided in pod spec; .* PreemptLowerPriority from",
        ),
        ({"runtimeClassName": "none"}, 'pods "a" is forbidden: pod rejected: RuntimeClass "none" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ],
)
async def test_what_pods_are_refused_for(admin: Client, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.Forbidden, match=message):
        await pod(admin, "a", **spec)


async def test_a_runtime_class_says_what_a_pod_costs_and_where_it_runs(admin: Client) -> None:
    toleration = {"key": "vm", "operator": "Exists"}
    await make(
        admin,
        kinds.RUNTIME_CLASS,
        "vm",
        handler="vm",
        overhead={"podFixed": {"cpu": "250m", "memory": "64Mi"}},
        scheduling={"nodeSelector": {"vm": "yes"}, "tolerations": [toleration]},
    )
    made = await pod(admin, "a", runtimeClassName="vm", nodeSelector={"disk": "fast"})
    assert made.spec.overhead == {"cpu": "250m", "memory": "64Mi"}
    assert made.spec.node_selector == {"disk": "fast", "vm": "yes"}
    assert ("vm", "Exists") in [(t.key, t.operator) for t in made.spec.tolerations]
    await pod(admin, "b", runtimeClassName="vm", overhead={"cpu": "0.25", "memory": "64Mi"})
    with pytest.raises(errors.Forbidden, match="Pod's Overhead doesn't match RuntimeClass's defined Overhead"):
        await pod(admin, "c", runtimeClassName="vm", overhead={"cpu": "1", "memory": "64Mi"})
    with pytest.raises(errors.Forbidden, match=r"conflict: runtimeClass.scheduling.nodeSelector\[vm\] = yes; pod.spec"):
        await pod(admin, "d", runtimeClassName="vm", nodeSelector={"vm": "no"})


def toleration(key: str = "", effect: str = "", value: str = "", seconds: int | None = None) -> Toleration:
    operator = "Equal" if value else "Exists"
    return Toleration(
        key=key or None, operator=operator, value=value or None, effect=effect or None, toleration_seconds=seconds
    )


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ([toleration("a")], [toleration("b")], [toleration("a"), toleration("b")]),
        ([toleration("a")], [toleration("a")], [toleration("a")]),
        ([toleration("a", "NoExecute")], [toleration("a")], [toleration("a")]),
        ([toleration()], [toleration("a", "NoSchedule", "x")], [toleration()]),
        (
            [toleration("a", value="x")],
            [toleration("a", value="y")],
            [toleration("a", value="x"), toleration("a", value="y")],
        ),
        (
            [toleration("a", "NoExecute", seconds=5)],
            [toleration("a", "NoExecute", seconds=9)],
            [toleration("a", "NoExecute", seconds=9)],
        ),
    ],
)
def test_tolerations_that_others_cover_are_left_out(
    first: list[Toleration], second: list[Toleration], merged: list[Toleration]
) -> None:
    assert merge_tolerations(first, second) == merged


async def test_claims_and_ingresses_get_the_default_class(admin: Client) -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    none = await make(admin, kinds.PERSISTENT_VOLUME_CLAIM, "none", spec=claim)
    assert none.spec.storage_class_name is None
    for name, marks in (("b", default), ("a", default), ("plain", {})):
        await make(admin, kinds.STORAGE_CLASS, name, marks, provisioner="example.com/disk")
    some = await make(admin, kinds.PERSISTENT_VOLUME_CLAIM, "some", spec=claim)
    assert some.spec.storage_class_name in ("a", "b")
    asked = await make(admin, kinds.PERSISTENT_VOLUME_CLAIM, "asked", spec=claim | {"storageClassName": ""})
    assert asked.spec.storage_class_name == ""
    ingress = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    assert (await make(admin, kinds.INGRESS, "none", spec=ingress)).spec.ingress_class_name is None
    mark = {"ingressclass.kubernetes.io/is-default-class": "true"}
    await make(admin, kinds.INGRESS_CLASS, "edge", mark, spec={"controller": "example.com/edge"})
    assert (await make(admin, kinds.INGRESS, "some", spec=ingress)).spec.ingress_class_name == "edge"
    old = await make(admin, kinds.INGRESS, "old", {"kubernetes.io/ingress.class": "x"}, spec=ingress)
    assert old.spec.ingress_class_name is None


async def test_a_claim_grows_only_when_its_class_allows_it(admin: Client) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "a"}
    await make(admin, kinds.PERSISTENT_VOLUME_CLAIM, "data", spec=claim)
    grow = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(errors.Invalid, match="spec is immutable after creation except resources.requests"):
        await admin.patch(kinds.PERSISTENT_VOLUME_CLAIM, "data", grow, "default")
    bound = {"status": {"phase": "Bound"}}
    await admin.patch(kinds.PERSISTENT_VOLUME_CLAIM, "data", bound, "default", subresource="status")
    with pytest.raises(errors.Forbidden, match="only dynamically provisioned pvc can be resized"):
        await admin.patch(kinds.PERSISTENT_VOLUME_CLAIM, "data", grow, "default")
    await make(admin, kinds.STORAGE_CLASS, "a", provisioner="example.com/disk", allowVolumeExpansion=True)
    made = await admin.patch(kinds.PERSISTENT_VOLUME_CLAIM, "data", grow, "default")
    assert made.spec.resources is not None
    assert made.spec.resources.requests["storage"] == "2Gi"
