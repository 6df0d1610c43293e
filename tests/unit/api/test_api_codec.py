"""Decoding by Go's rules, strict field validation, and the zeros that mean nothing."""

from typing import Any

import msgspec
import pytest

from api import codec, kinds
from api.core_v1 import ContainerStatus, Pod
from api.meta_v1 import ObjectMeta
from api.zeros import without_zeros


def pod(**spec: Any) -> bytes:
    return msgspec.json.encode({"metadata": {"name": "p"}, "spec": spec})


def test_null_is_absence_everywhere() -> None:
    body = b"""{"metadata":{"name":"p","labels":null,"creationTimestamp":null},"status":null,
        "spec":{"hostNetwork":null,"nodeSelector":{"a":null},"containers":[{"name":"c","command":[null,"x"]},null]}}"""
    got = codec.decode(kinds.POD, body)
    assert got.metadata.labels == {}
    assert got.spec.host_network is None
    assert got.spec.node_selector == {"a": ""}
    assert [container.name for container in got.spec.containers] == ["c", ""]
    assert got.spec.containers[0].command == ["", "x"]
    assert got.status.phase is None


def test_quantities_may_be_numbers() -> None:
    got = codec.decode(
        kinds.POD, pod(containers=[{"name": "c", "resources": {"limits": {"cpu": 1, "memory": 0.5, "x/y": "1"}}}])
    )
    assert got.spec.containers[0].resources is not None
    assert got.spec.containers[0].resources.limits == {"cpu": "1", "memory": "0.5", "x/y": "1"}


def test_unknown_fields_are_pruned() -> None:
    assert b"strange" not in codec.encode(codec.decode(kinds.POD, pod(strange=1, containers=[])))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (pod(containers=[{"name": 1}]), "spec.containers[0].name"),
        (pod(containers={}), "spec.containers"),
        (pod(priority=2**40, containers=[]), "spec.priority"),
        (b'{"metadata":7}', "metadata"),
        (b"[]", ""),
        (b"{", ""),
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"null", ""),
        (b'{"x":' + b"[" * 100_000, ""),
    ],
)
def test_errors_name_the_field(body: bytes, field: str) -> None:
    with pytest.raises(codec.DecodeError, match="cannot decode Pod: ") as caught:
        codec.decode(kinds.POD, body)
    assert caught.value.field == field


def test_required_fields_are_written_even_when_empty() -> None:
    assert msgspec.json.decode(codec.encode(ContainerStatus())) == {
        "name": "",
        "ready": False,
        "restartCount": 0,
        "image": "",
        "imageID": "",
        "state": {},
        "lastState": {},
    }
    assert msgspec.json.decode(codec.encode(Pod())) == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {},
        "spec": {"containers": []},
        "status": {},
    }


def test_managed_fields_pass_through() -> None:
    body = b'{"managedFields":[{"manager":"m","fieldsV1":{"f:spec":{".":{}}}}]}'
    assert codec.encode(codec.decode(ObjectMeta, body)) == body


def test_secret_data_is_bytes() -> None:
    got = codec.decode(kinds.SECRET, b'{"data":{"a":"aGk="}}')
    assert got.data == {"a": b"hi"}
    assert b'"aGk="' in codec.encode(got)
    with pytest.raises(codec.DecodeError, match=r"data\[\.\.\.\]"):
        codec.decode(kinds.SECRET, b'{"data":{"a":"#"}}')


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b'{"spec":{"replicas":1}}', []),
        (
            b'{"spec":{"unknownField":"x","replicas":1,"replicas":2}}',
            ['unknown field "spec.unknownField"', 'duplicate field "spec.replicas"'],
        ),
        (b'{"metadata":{"unknownMeta":1}}', ['unknown field "metadata.unknownMeta"']),
        (
            b'{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b","x":1}]}}}}',
            ['unknown field "spec.template.spec.containers[1].x"'],
        ),
        (b'{"metadata":{"labels":{"a":"1","a":"2"}}}', ['duplicate field "metadata.labels.a"']),
        (b'{"metadata":{"managedFields":[{"fieldsV1":{"f:x":{}}}]}}', []),
        (b"nonsense", []),
        (b"[" * 100_000, []),
    ],
)
def test_strict_problems(body: bytes, problems: list[str]) -> None:
    assert codec.strict_problems(kinds.DEPLOYMENT, body) == problems


def test_strict_message_is_upstreams() -> None:
    problems = ['unknown field "spec.unknownField"', 'duplicate field "spec.replicas"']
    assert codec.strict_message(problems) == (
        'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"'
    )


def test_zeros_that_mean_nothing() -> None:
    body = pod(
        hostNetwork=False,
        nodeName="",
        terminationGracePeriodSeconds=0,
        containers=[{"name": "c", "stdin": False, "ports": [{"containerPort": 1, "hostPort": 0}]}],
    )
    got = without_zeros(codec.decode(kinds.POD, body)).spec
    assert (got.host_network, got.node_name, got.containers[0].stdin) == (None, None, None)
    assert got.containers[0].ports[0].host_port is None
    assert got.termination_grace_period_seconds == 0
