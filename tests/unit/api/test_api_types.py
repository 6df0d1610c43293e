"""Every declaration says what patches and protobuf need, and says it without contradiction."""

import copy
import importlib
import inspect
from pathlib import Path
from typing import Any

import msgspec
import pytest

import api
from api import codec, kinds
from api.fields import Type, fields_of, json_name

MODULES = sorted(path.stem for path in Path(api.__file__).parent.glob("*_v[12].py"))
TYPES = [
    cls
    for name in MODULES
    for cls in vars(importlib.import_module(f"api.{name}")).values()
    if inspect.isclass(cls) and issubclass(cls, Type) and cls.__module__ == f"api.{name}"
]
NO_PROTOBUF = {"Table", "TableRow", "TableRowCondition", "TableColumnDefinition"}


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_declaration_is_consistent(cls: type[Type]) -> None:
    paths: set[tuple[int, ...]] = set()
    for field in fields_of(cls).values():
        if field.facts is None:
            assert field.json in ("kind", "apiVersion") or cls.__name__ in NO_PROTOBUF or "v2" in cls.__module__
            continue
        assert field.facts.path not in paths, f"{field.json} has the number of another field"
        paths.add(field.facts.path)
        if isinstance(field.facts.merge, str):
            assert field.shape == "list"
            assert field.struct is not None
            assert field.facts.merge in fields_of(field.struct), f"{field.json} is merged by a key its items lack"
        if field.facts.merge is True:
            assert field.shape == "list"
            assert field.struct is None


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_empty_object_survives(cls: type[Type]) -> None:
    assert codec.decode(cls, codec.encode(cls())) == cls()
    assert codec.encode(copy.deepcopy(cls())) == codec.encode(cls())


@pytest.mark.parametrize(
    ("python", "json"),
    [
        ("pod_ips", "podIPs"),
        ("cluster_ip", "clusterIP"),
        ("api_version", "apiVersion"),
        ("host_pid", "hostPID"),
        ("pod_cidrs", "podCIDRs"),
        ("ip_families", "ipFamilies"),
        ("set_hostname_as_fqdn", "setHostnameAsFQDN"),
        ("downward_api", "downwardAPI"),
        ("continue_", "continue"),
        ("fields_v1", "fieldsV1"),
    ],
)
def test_json_names(python: str, json: str) -> None:
    assert json_name(python) == json


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_kind_matches_its_type(kind: kinds.Kind[Any]) -> None:
    obj = kind.type()
    assert (obj.api_version, obj.kind) == (kind.api_version, kind.name)
    assert kinds.by_name(kind.api_version, kind.name) is kind
    assert kinds.by_plural(kind.group, kind.version, kind.plural) is kind
    assert list(msgspec.json.decode(codec.encode(obj)))[:3] == ["kind", "apiVersion", "metadata"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (kinds.POD.path(), "/api/v1/pods"),
        (kinds.POD.path("a"), "/api/v1/namespaces/a/pods"),
        (kinds.POD.path("a", "b", "status"), "/api/v1/namespaces/a/pods/b/status"),
        (kinds.DEPLOYMENT.path("a", "b", "scale"), "/apis/apps/v1/namespaces/a/deployments/b/scale"),
        (kinds.NODE.path(name="n"), "/api/v1/nodes/n"),
        (kinds.NAMESPACE.path(name="n", subresource="finalize"), "/api/v1/namespaces/n/finalize"),
        (kinds.LEASE.path("kube-node-lease"), "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


def test_unknown_kinds_are_none() -> None:
    assert kinds.by_name("v1", "Nothing") is None
    assert kinds.by_plural("apps", "v1", "pods") is None
