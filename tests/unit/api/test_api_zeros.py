"""Zeros that mean nothing are not kept; those that mean something are. And no object, however strange, crashes a rule."""

import typing
from typing import Any

import msgspec
import pytest

from api import codec, defaults, kinds, validation
from api.fields import IntOrString, Special, Type, fields_of
from tests.samples import GOOD


def test_zeros_that_mean_nothing() -> None:
    spec = {"hostNetwork": False, "hostname": "", "priority": 0, "automountServiceAccountToken": False}
    spec["containers"] = [{"name": "c", "image": "i", "workingDir": "", "ports": [{"containerPort": 1, "hostPort": 0}]}]
    pod = codec.decode(kinds.POD, msgspec.json.encode({"spec": spec}))
    defaults.apply(kinds.POD, pod)
    assert (pod.spec.host_network, pod.spec.hostname) == (None, None)
    assert (pod.spec.priority, pod.spec.automount_service_account_token) == (0, False)
    assert pod.spec.containers[0].working_dir is None
    assert pod.spec.containers[0].ports[0].host_port is None


def test_zero_replicas_stay() -> None:
    deployment = codec.decode(kinds.DEPLOYMENT, b'{"spec": {"replicas": 0, "minReadySeconds": 0, "paused": false}}')
    defaults.apply(kinds.DEPLOYMENT, deployment)
    assert (deployment.spec.replicas, deployment.spec.min_ready_seconds, deployment.spec.paused) == (0, None, None)


def filled(cls: type[Type], text: str, number: int, above: tuple[type[Type], ...] = ()) -> dict[str, Any]:
    """An object with a value in every field, types inside of themselves left out."""
    document: dict[str, Any] = {}
    for field in fields_of(cls).values():
        value: Any
        if field.struct is not None:
            if field.struct in above or len(above) > 9:
                continue
            value = filled(field.struct, text, number, (*above, cls))
        elif isinstance(field.item, Special):
            value = "2026-01-01T00:00:00Z" if "ime" in field.item.name else "1"
        else:
            plain = {str: text, int: number, bool: True, float: 1.5, bytes: "YQ==", IntOrString: text}
            value = [text] if typing.get_origin(field.item) is list else plain.get(field.item, {"a": 1})
        document[field.json] = (
            [value, value] if field.shape == "list" else {text: value} if field.shape == "map" else value
        )
    return document


STRANGE = [("x", 1), ("", 0), ("A_!/../é\n", -1), ("1.2.3.4/99", 70_000)]


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("text", "number"), STRANGE, ids=["filled", "empty", "strange", "large"])
def test_no_object_crashes_a_rule(kind: kinds.Kind[Any], text: str, number: int) -> None:
    document = filled(kind.type, text, number)
    document["metadata"] = {"name": "x", "namespace": "default", "resourceVersion": "1"}
    strange = codec.decode(kind, msgspec.json.encode(document))
    good = codec.decode(kind, msgspec.json.encode(GOOD[kind]))
    for obj in (strange, good):
        defaults.apply(kind, obj)
    assert isinstance(validation.validate_create(kind, strange), list)
    for subresource in ("", *(name for name in kind.subresources if name in ("status", "finalize", "approval"))):
        assert isinstance(validation.validate_update(kind, strange, good, subresource), list)
        assert isinstance(validation.validate_update(kind, good, strange, subresource), list)
