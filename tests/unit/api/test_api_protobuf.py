"""Protobuf bodies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import codec, kinds, protobuf
from api.fields import MICRO_TIME, NOTHING, QUANTITY, TIME, Field, IntOrString, Json, Type, fields_of
from api.meta_v1 import DeleteOptions
from api.zeros import without_zeros
from tests.unit.api import protobuf_writer as writer

# `kubectl create deployment web --image=demo:1 --port=80`, as Go writes it: all its zeros included.
DEPLOYMENT = bytes.fromhex(
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e74128c010a1f0a0377656212001a0022002a003200380042"
    "005a0a0a03617070120377656212630801120c0a0a0a0361707012037765621a490a100a0042005a0a0a0361707012037765"
    "621235122b0a0464656d6f120664656d6f3a312a00320a0a001000185022002a0042006a0072008001008801009001001a00"
    "32005800600022020a00280038001a04080010001a002200"
)


def test_a_deployment_as_kubectl_sends_it() -> None:
    envelope = protobuf.open_envelope(DEPLOYMENT)
    assert (envelope.api_version, envelope.kind) == ("apps/v1", "Deployment")
    got = protobuf.decode(kinds.DEPLOYMENT, DEPLOYMENT)
    assert codec.to_dict(got) == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {"name": "demo", "image": "demo:1", "ports": [{"containerPort": 80}], "resources": {}}
                    ]
                },
            },
            "strategy": {},
        },
        "status": {},
    }


def values(field: Field) -> st.SearchStrategy[Any]:
    """Values of a field that survive: zeros only where they differ from absence."""
    item = field.item
    if field.struct is not None:
        return objects(field.struct)
    explicit = field.facts is not None and field.facts.explicit
    if item is bool:
        return st.booleans() if explicit else st.just(True)
    if item is int:
        return st.integers(-(2**31), 2**31 - 1).filter(lambda number: explicit or number != 0)
    if item is bytes:
        return st.binary(max_size=8)
    if item is TIME:
        return st.sampled_from(["2026-03-01T12:00:00Z", "1999-12-31T23:59:59Z"])
    if item is MICRO_TIME:
        return st.sampled_from(["2026-03-01T12:00:00.000001Z", "2026-03-01T12:00:00.000000Z"])
    if item is QUANTITY:
        return st.sampled_from(["1", "100m", "5Gi"])
    if item == IntOrString:
        return st.one_of(st.integers(1, 65535), st.sampled_from(["http", "25%"]))
    if item is Json:
        return st.just(NOTHING)
    return st.text(max_size=8).filter(lambda text: explicit or text != "")


def objects(cls: type[Type]) -> st.SearchStrategy[Any]:
    parts = {}
    for field in fields_of(cls).values():
        if field.facts is None or not field.facts.path or field.item is Json:
            continue
        one = st.deferred(lambda field=field: values(field))  # type: ignore[misc]
        if field.shape == "list":
            plain = st.text(max_size=4) if field.item is str else one
            parts[field.name] = st.lists(plain, max_size=2)
        elif field.shape == "map":
            plain = st.text(max_size=4) if field.item is str else one
            parts[field.name] = st.dictionaries(st.text(max_size=4), plain, max_size=2)
        else:
            parts[field.name] = one
    required = {name: part for name, part in parts.items() if getattr(cls(), name) is not None and cls in _TOP}
    optional = {name: part for name, part in parts.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given_: cls(**given_))


_TOP = {kinds.SERVICE.type, kinds.LEASE.type, kinds.ENDPOINT_SLICE.type, kinds.EVENT.type}


@pytest.mark.parametrize("kind", [kinds.SERVICE, kinds.LEASE, kinds.ENDPOINT_SLICE, kinds.EVENT, kinds.SECRET])
def test_round_trip(kind: kinds.Kind[Any]) -> None:
    @given(objects(kind.type))
    def check(obj: Any) -> None:
        assert codec.encode(protobuf.decode(kind, writer.body(obj))) == codec.encode(obj)

    check()


def test_a_pod_with_everything_that_is_special() -> None:
    body = b"""{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","managedFields":[{"fieldsV1":{"f:a":{}}}]},"spec":{
        "terminationGracePeriodSeconds":0,"nodeSelector":{"":"x"},
        "volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"c","items":[{"key":"k","path":"p"}]}}]}}],
        "containers":[{"name":"c","command":["",""],"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],
          "livenessProbe":{"httpGet":{"port":"http"},"failureThreshold":3},
          "readinessProbe":{"tcpSocket":{"port":80}},"resources":{"limits":{"cpu":"100m"}}}],
        "ephemeralContainers":[{"name":"e","image":"i","tty":true,"targetContainerName":"c"}],
        "securityContext":{"supplementalGroups":[1,2],"runAsUser":0}},
        "status":{"startTime":"2026-01-01T00:00:00Z"}}"""
    obj = codec.decode(kinds.POD, body)
    assert codec.encode(protobuf.decode(kinds.POD, writer.body(obj))) == codec.encode(without_zeros(obj))


def test_numbers_may_be_packed() -> None:
    # runAsUser's sibling supplementalGroups, 4: two numbers in one field.
    context = protobuf.decode_message(
        kinds.POD.type, bytes.fromhex("120a" + "7208" + "2206" + "e807" + "01" + "ffff03")
    )
    assert context.spec.security_context is not None
    assert context.spec.security_context.supplemental_groups == [1000, 1, 65535]


def test_negative_numbers_and_unknown_fields() -> None:
    options = protobuf.decode_message(
        DeleteOptions, b"\x08" + writer.varint(2**64 - 5) + b"\xf8\x07\x01" + b"\xfd\x07abcd" + b"\xf9\x0712345678"
    )
    assert options.grace_period_seconds == -5


def test_lists_of_texts_in_a_map() -> None:
    body = b'{"spec":{"request":"YQ==","signerName":"a.b/c","extra":{"scopes":["x","y"],"none":[]}}}'
    obj = codec.decode(kinds.CERTIFICATE_SIGNING_REQUEST, body)
    assert protobuf.decode(kinds.CERTIFICATE_SIGNING_REQUEST, writer.body(obj)) == obj


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"k8s",
        b'{"kind":"Pod"}',
        b"k8s\0\x0a\xff",
        b"k8s\0\x12\x02\x0a\x05",
        b"k8s\0\x12\x01\x08",
        b"k8s\0\x12\x02\x08\x01",
        b"k8s\0\x12\x03\x0a\x01\xff",
        b"k8s\0\x12\x02\x0b\x00",
        b"k8s\0\x08\x01",
        b"k8s\0\x12\x0c\x0a" + b"\xff" * 11,
    ],
)
def test_damaged_bodies(data: bytes) -> None:
    with pytest.raises(protobuf.ProtobufError, match="cannot read protobuf"):
        protobuf.decode(kinds.POD, data)


@given(st.binary(max_size=60))
def test_no_bytes_crash(data: bytes) -> None:
    try:
        protobuf.decode(kinds.POD, protobuf.MAGIC + data)
    except protobuf.ProtobufError:
        pass
