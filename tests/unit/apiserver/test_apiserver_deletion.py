"""What a DELETE does, by table."""

import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap, Event, Namespace, NamespaceSpec, NamespaceStatus, Pod, PodSpec, PodStatus
from api.meta_v1 import DeleteOptions, ObjectMeta, Preconditions
from controlplane.apiserver import status
from controlplane.apiserver.deletion import Leave, Mark, Remove, check_preconditions, plan_delete, released
from controlplane.apiserver.views import copy

NOW = 1_700_000_000.0
AT_NOW, AT_30, AT_10 = "2023-11-14T22:13:20Z", "2023-11-14T22:13:50Z", "2023-11-14T22:13:30Z"


def pod(node="n1", phase="Running", grace=30, **meta) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="p", namespace="default", generation=1, **meta),
        spec=PodSpec(node_name=node, termination_grace_period_seconds=grace),
        status=PodStatus(phase=phase),
    )


def plan(kind, obj, **options):
    before = codec.encode(obj)
    made = plan_delete(kind, obj, DeleteOptions(**options), NOW, copy)
    assert codec.encode(obj) == before, "a plan must not change the object"
    return made


@pytest.mark.parametrize(
    ("obj", "options", "expected"),
    [
        (pod(), {}, (AT_30, 30)),
        (pod(grace=5), {"grace_period_seconds": 10}, (AT_10, 10)),
        (pod(), {"grace_period_seconds": 0}, Remove()),
        (pod(), {"grace_period_seconds": -3}, ("2023-11-14T22:13:21Z", 1)),
        (pod(node=None), {}, Remove()),
        (pod(phase="Succeeded"), {}, Remove()),
        (pod(phase="Failed"), {"grace_period_seconds": 60}, Remove()),
        (pod(node=None, finalizers=["x/y"]), {}, (AT_NOW, 0)),
        (pod(deletion_timestamp=AT_30, deletion_grace_period_seconds=30), {}, Leave()),
        (pod(deletion_timestamp=AT_30, deletion_grace_period_seconds=30), {"grace_period_seconds": 60}, Leave()),
        (pod(deletion_timestamp=AT_30, deletion_grace_period_seconds=30), {"grace_period_seconds": 10}, (AT_10, 10)),
        (pod(deletion_timestamp=AT_30, deletion_grace_period_seconds=30), {"grace_period_seconds": 0}, Remove()),
        (pod(deletion_timestamp=AT_NOW, deletion_grace_period_seconds=0, finalizers=["x/y"]), {}, Leave()),
    ],
)
def test_pods(obj, options, expected):
    made = plan(kinds.POD, obj, **options)
    if isinstance(made, Mark):
        made = (made.obj.metadata.deletion_timestamp, made.obj.metadata.deletion_grace_period_seconds)
    assert made == expected


def test_marking_counts_as_a_change_of_the_spec_once():
    made = plan(kinds.POD, pod())
    assert made.obj.metadata.generation == 2
    again = plan(kinds.POD, made.obj, grace_period_seconds=1)
    assert again.obj.metadata.generation == 2


@pytest.mark.parametrize(
    ("present", "options", "expected"),
    [
        ([], {}, None),
        ([], {"propagation_policy": "Background"}, None),
        ([], {"propagation_policy": "Foreground"}, ["foregroundDeletion"]),
        ([], {"propagation_policy": "Orphan"}, ["orphan"]),
        ([], {"orphan_dependents": True}, ["orphan"]),
        ([], {"orphan_dependents": False}, None),
        (["x/y"], {}, ["x/y"]),
        (["x/y"], {"propagation_policy": "Foreground"}, ["x/y", "foregroundDeletion"]),
        (["orphan"], {"propagation_policy": "Foreground"}, ["foregroundDeletion"]),
        (["orphan"], {"propagation_policy": "Background"}, None),
        (["orphan"], {}, ["orphan"]),
    ],
)
def test_propagation_is_a_finalizer(present, options, expected):
    made = plan(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="c", finalizers=present)), **options)
    if expected is None:
        assert made == Remove()
    else:
        assert made.obj.metadata.finalizers == expected
        assert made.obj.metadata.deletion_timestamp == AT_NOW
        assert made.obj.metadata.deletion_grace_period_seconds == 0


def test_nothing_depends_on_events():
    assert plan(kinds.EVENT, Event(metadata=ObjectMeta(name="e")), propagation_policy="Foreground") == Remove()


def namespace(finalizers, deleted=None, own=()) -> Namespace:
    return Namespace(
        metadata=ObjectMeta(name="n", deletion_timestamp=deleted, finalizers=list(own)),
        spec=NamespaceSpec(finalizers=finalizers),
        status=NamespaceStatus(phase="Active"),
    )


def test_a_namespace_waits_for_its_controller():
    made = plan(kinds.NAMESPACE, namespace(["kubernetes"]))
    assert (made.obj.status.phase, made.obj.metadata.deletion_timestamp) == ("Terminating", AT_NOW)
    assert plan(kinds.NAMESPACE, namespace(["kubernetes"], AT_NOW)) == Leave()
    assert plan(kinds.NAMESPACE, namespace([], AT_NOW)) == Remove()


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod(), False),
        (pod(deletion_timestamp=AT_NOW, deletion_grace_period_seconds=0), True),
        (pod(deletion_timestamp=AT_NOW), True),
        (pod(deletion_timestamp=AT_NOW, deletion_grace_period_seconds=30), False),
        (pod(deletion_timestamp=AT_NOW, finalizers=["x/y"]), False),
        (namespace(["kubernetes"], AT_NOW), False),
        (namespace([], AT_NOW, ["x/y"]), False),
        (namespace([], AT_NOW), True),
        (namespace([]), False),
    ],
)
def test_an_update_can_be_the_last_thing_a_deleted_object_waited_for(obj, expected):
    assert released(obj) is expected


def test_preconditions():
    about = status.subject(kinds.POD, "p")
    meta = ObjectMeta(uid="u1")
    check_preconditions(about, meta, 7, DeleteOptions(preconditions=Preconditions(uid="u1", resource_version="7")))
    with pytest.raises(status.StatusError, match="UID in precondition: u2, UID in object meta: u1") as caught:
        check_preconditions(about, meta, 7, DeleteOptions(preconditions=Preconditions(uid="u2")))
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    with pytest.raises(status.StatusError, match="ResourceVersion in precondition: 6"):
        check_preconditions(about, meta, 7, DeleteOptions(preconditions=Preconditions(resource_version="6")))


@pytest.mark.parametrize(
    ("present", "options", "expected"),
    [
        ([], {}, ["orphan"]),
        (["x/y"], {}, ["x/y", "orphan"]),
        (["foregroundDeletion"], {}, ["foregroundDeletion"]),
        ([], {"propagation_policy": "Background"}, None),
        ([], {"orphan_dependents": False}, None),
    ],
)
@pytest.mark.parametrize("kind", [kinds.JOB, kinds.REPLICATION_CONTROLLER], ids=lambda kind: kind.name)
def test_pods_of_old_kinds_stay_unless_the_client_says_otherwise(kind, present, options, expected):
    made = plan(kind, kind.type(metadata=ObjectMeta(name="c", finalizers=present)), **options)
    assert (made.obj.metadata.finalizers if isinstance(made, Mark) else None) == expected
