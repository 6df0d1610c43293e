"""Random requests: what clients send, and what nobody should. Everything follows from one seed.

Most requests are nearly right, because what is wholly wrong is refused at the first step and finds nothing behind it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
import yaml

from api import codec, kinds
from api.fields import MICRO_TIME, QUANTITY, TIME, Field, IntOrString, Json, fields_of
from api.kinds import Kind
from tests.unit.api import protobuf_writer

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_METHODS = (
    "GET",
    "GET",
    "GET",
    "POST",
    "POST",
    "POST",
    "PUT",
    "PUT",
    "PATCH",
    "PATCH",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
)
_NAMES = ("a", "b", "n1")
_NAMESPACES = (*["default"] * 12, "kube-system", "kube-node-lease", "gone", "a")
_TEXTS = (
    "", "a", "b", "default", "kubernetes", "Node", "n1", "v1", "apps/v1", "None", "*", "/", "..", "a/b", "-", "é", "\u0000",
    "\ud7ff\U0001f600",
    "x" * 64, "x" * 300, "a.b.c", "A", "TCP", "Always", "10.0.0.1", "10.96.0.9", "::1", "fe80::1%eth0", "300.1.1.1", "10.0.0.0/8", "http",
    "100m", "1Gi", "-1", "1e3", "1e999", "9" * 30, "true", "null", "2026-01-01T00:00:00Z", "2026-02-30T25:61:61Z", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+14:00", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Local", "IPv4",
    "IPv6",
    "kubernetes.io/hostname", "foregroundDeletion", "orphan", "kubernetes", "\n", "{}", "$patch", "a\r\nb: c", "%s%n", "٣", "1_000",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 80, 30080, 65536, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, 1e300,
    -0.0, "", [], {},
    [None], {"": None}, [[]], [{}], "x" * 5000, {"a": {"a": {"a": 1}}},
)  # fmt: skip
_DIRECTIVES = (
    "$patch",
    "$retainKeys",
    "$deleteFromPrimitiveList/finalizers",
    "$setElementOrder/containers",
    "$setElementOrder/nope",
)
_ACCEPTS = (
    "", JSON, "*/*", YAML, PROTOBUF, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "text/html", ";;,,;=", "application/json;as=Nope", "a" * 500,
    "é", f"{PROTOBUF};stream=watch", f"{PROTOBUF};q=0.3,{YAML};q=0.7", "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/cbor",
    "application/yaml;as=Table;v=v1;g=meta.k8s.io", "application/yaml;as=PartialObjectMetadata;g=meta.k8s.io;v=v1beta1", "*/*;q=nan",
    "application/json;pretty=1", f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{PROTOBUF}", "*;q=1,application/*;q=0",
)  # fmt: skip
_PAGES = (
    "/", "/api", "/api/", "/apis", "/apis/", "/api/v1", "/api/v1/", "/apis/apps", "/apis/apps/v1", "/apis/nope/v1", "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/api/v1", "/openapi/v3/nope", "/version", "/healthz", "/livez", "/readyz", "/readyz/cache", "/livez/nope", "/metrics",
    "/nope", "//", "/api/v2/x",
    "/api/v1/namespaces//pods", "/api/v1/watch", "/api/v1/watch/pods", "/api/v1/namespaces/default/pods//log", "/api/v1/nodes/../pods",
    "*", "/%00", "/%",
    "/api/v1/namespaces/default%2Fpods", "/api/v1/namespaces/%2e%2e/pods", "http://x/api", "/api/v1/namespaces/default/pods/a/b/c/d/e",
)  # fmt: skip
_KINDS: tuple[Kind[Any], ...] = kinds.SERVED
_POPULAR = (kinds.POD, kinds.SERVICE, kinds.DEPLOYMENT, kinds.CONFIG_MAP, kinds.NODE)


class Sent(NamedTuple):
    """One request."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


def request(rng: random.Random) -> Sent:
    """Any request."""
    method = rng.choice(_METHODS)
    if rng.random() < 0.04:
        return Sent(method, rng.choice(_PAGES), [("accept", rng.choice(_ACCEPTS))], b"")
    kind = rng.choice(_POPULAR if rng.random() < 0.6 else _KINDS)
    named = method in ("PUT", "PATCH") or (method in ("GET", "DELETE") and rng.random() < 0.7)
    namespace, name = rng.choice(_NAMESPACES) if kind.namespaced else "", rng.choice(_NAMES) if named else ""
    subresource = rng.choice((*kind.subresources, "status", "nope")) if named and rng.random() < 0.25 else ""
    if method == "POST" and rng.random() < 0.1:
        name, subresource = rng.choice(_NAMES), rng.choice(("binding", "eviction"))
    path = kind.path(namespace, name, subresource)
    if rng.random() < 0.03:
        path = _broken_path(rng, path)
    content_type, body = _content(rng, method, kind, namespace, name, subresource)
    headers = [("accept", rng.choice(_ACCEPTS) if rng.random() < 0.2 else JSON), ("content-type", content_type)]
    if rng.random() < 0.03:
        headers.append(
            rng.choice(
                (("impersonate-user", "x"), ("authorization", "Bearer x"), ("if-none-match", "*"), ("expect", "x"))
            )
        )
    return Sent(method, path + _query(rng), headers, body)


def odd(rng: random.Random) -> Any:
    """A value that belongs nowhere; the caller's own, to put more into."""
    return copy.deepcopy(rng.choice(_ODD))


def selector(rng: random.Random) -> str:
    """A label selector, or something like one."""
    tokens = (
        "a",
        "app",
        "b",
        "=",
        "==",
        "!=",
        "!",
        ",",
        "in",
        "notin",
        "(",
        ")",
        ">",
        "<",
        "1",
        " ",
        "a/b",
        "é",
        "x" * 70,
        " " * 50,
    )
    if rng.random() < 0.4:
        return rng.choice(
            ("app=a", "app", "!app", "app in (a,b)", "app notin (a),b!=c", "a>1", "a<x", "metadata/name=a")
        )
    return "".join(rng.choice(tokens) for _ in range(rng.randrange(8)))


def field_selector(rng: random.Random) -> str:
    """A field selector, or something like one."""
    paths = (
        "metadata.name",
        "metadata.namespace",
        "spec.nodeName",
        "status.phase",
        "type",
        "spec.nope",
        "involvedObject.name",
        "",
        "\\",
        "é",
    )
    return ",".join(rng.choice(paths) + rng.choice(("=", "==", "!=", "", "\\=")) + rng.choice((*_NAMES, "\\,",
    "\\")) for _ in range(rng.randrange(1, 4)))  # fmt: skip


def token(rng: random.Random) -> str:
    """A `continue` token of somebody's making."""
    import base64

    value = {"v": rng.choice(("meta.k8s.io/v1", "x")), "rv": rng.choice((-1, 0, 1, 5, -7, 2**70, "x")), "start": rng.choice(("", "a",
    "default/a\0", "\uffff", "../../x"))}  # fmt: skip
    return base64.urlsafe_b64encode(
        msgspec.json.encode(value) if value["rv"] != 2**70 else str(value).replace("'", '"').encode()
    ).decode()


def value_of(rng: random.Random, item: Any, depth: int) -> Any:
    """A value that the type might have."""
    if isinstance(item, type) and issubclass(item, msgspec.Struct):
        return object_of(rng, item, depth + 1)
    if item is str:
        return rng.choice(_TEXTS)
    if item is int:
        return rng.choice((0, 1, -1, 80, 30080, 3600, 2**31 - 1, 2**31, 2**63 - 1, 2**63))
    if item is bool:
        return rng.random() < 0.5
    if item is bytes:
        return rng.choice(("", "YQ==", "YQ", "é", "A" * 400))
    if item in (TIME, MICRO_TIME):
        return rng.choice(
            (
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00.5Z",
                "2026-01-01T00:00:00+14:00",
                "x",
                "2026-02-30T00:00:00Z",
                "",
            )
        )
    if item is QUANTITY:
        return rng.choice(("1", "100m", "1Gi", "-1", "x", 1, 0.5, "1e400", "9" * 50))
    if item == IntOrString:
        return rng.choice((80, "http", "50%", "101%", -1, "", 2**40))
    return rng.choice(({}, [], "x", 1, None)) if item is Json else odd(rng)


def object_of(rng: random.Random, cls: Any, depth: int = 0) -> dict[str, Any]:
    """An object of a type with a few of its fields."""
    fields = list(fields_of(cls).values())
    if not fields:
        return {}
    chosen = rng.sample(fields, min(len(fields), rng.randrange(1, 5 if depth < 5 else 2)))
    return {field.json: _member(rng, field, depth) for field in chosen}


def _member(rng: random.Random, field: Field, depth: int) -> Any:
    if field.shape == "list":
        return [value_of(rng, field.item, depth) for _ in range(rng.randrange(3))]
    if field.shape == "map":
        return {rng.choice(_TEXTS): value_of(rng, field.item, depth) for _ in range(rng.randrange(3))}
    return value_of(rng, field.item, depth)


def good_object(rng: random.Random, kind: Kind[Any], namespace: str, name: str) -> dict[str, Any]:
    """An object that the server accepts."""
    metadata: dict[str, Any] = {"name": name or rng.choice(_NAMES)}
    if kind.namespaced:
        metadata["namespace"] = namespace
    if rng.random() < 0.5:
        metadata["labels"] = {"app": rng.choice("ab")}
    if rng.random() < 0.1:
        metadata["finalizers"] = ["example.com/hold"]
    return {
        "kind": kind.name,
        "apiVersion": kind.api_version,
        "metadata": metadata,
        **_GOOD.get(kind, lambda _: {})(rng),
    }


def mutated(rng: random.Random, document: Any, cls: Any) -> Any:
    """The document with a few things changed in it."""
    document = msgspec.json.decode(msgspec.json.encode(document))
    for _ in range(rng.randrange(1, 4)):
        choice = rng.random()
        if choice < 0.5:
            document = _grafted(rng, document, object_of(rng, cls))
            continue
        places = list(_places(document))
        if not places:
            break
        holder, key = rng.choice(places)
        if choice < 0.6:
            holder.pop(key)
        elif choice < 0.9:
            holder[key] = rng.choice((odd(rng), rng.choice(_TEXTS)))
        elif isinstance(holder, dict):
            holder[rng.choice((*_TEXTS, *_DIRECTIVES))] = odd(rng)
    return document


def _grafted(rng: random.Random, document: Any, other: Any) -> Any:
    """Two documents in one."""
    if isinstance(document, dict) and isinstance(other, dict):
        return {key: _grafted(rng, document[key], other[key]) if key in document and key in other else document.get(key,
        other.get(key)) for key in {**document, **other}}  # fmt: skip
    if isinstance(document, list) and isinstance(other, list) and document and other:
        return [_grafted(rng, document[0], other[0]), *document[1:], *other[1:]]
    return document if rng.random() < 0.5 else other


def _places(document: Any) -> Any:
    if isinstance(document, dict | list):
        for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
            yield document, key
            yield from _places(value)


def _content(
    rng: random.Random, method: str, kind: Kind[Any], namespace: str, name: str, subresource: str
) -> tuple[str, bytes]:
    if method == "PATCH":
        return _patch(rng, kind)
    if method == "DELETE":
        options = {"gracePeriodSeconds": 0} if rng.random() < 0.5 else object_of(rng, _options_type())
        return _encoded(rng, options) if rng.random() < 0.6 else ("", b"")
    if method in ("GET", "HEAD", "OPTIONS"):
        return "", b""
    document: Any = good_object(rng, kind, namespace, name)
    if subresource == "scale":
        document = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": document["metadata"],
            "spec": {"replicas": odd(rng)},
        }
    elif subresource == "binding":
        document = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": document["metadata"],
            "target": {"kind": "Node", "name": "n1"},
        }
    elif subresource == "eviction":
        options = {"gracePeriodSeconds": 0} if rng.random() < 0.5 else object_of(rng, _options_type())
        document = {
            "kind": "Eviction",
            "apiVersion": "policy/v1",
            "metadata": document["metadata"],
            "deleteOptions": options,
        }
    elif rng.random() < 0.1:
        document["metadata"]["resourceVersion"] = rng.choice(("0", "1", "", "x", "9" * 30))
    if method == "POST" and rng.random() < 0.3:
        document["metadata"]["generateName"] = document["metadata"].pop("name") + "-"
    if rng.random() < 0.5:
        document = mutated(rng, document, kind.type)
    if rng.random() < 0.2 and (body := _protobuf(kind, document)):
        return PROTOBUF, _corrupted(rng, body)
    return _encoded(rng, document)


def _options_type() -> Any:
    from api.meta_v1 import DeleteOptions

    return DeleteOptions


def _encoded(rng: random.Random, document: Any) -> tuple[str, bytes]:
    text = _json(document)
    choice = rng.random()
    if choice < 0.7:
        return rng.choice(
            (JSON, JSON, JSON, "", "application/json; charset=utf-8", "text/plain", "application/cbor")
        ), _corrupted(rng, text)
    if choice < 0.85:
        return YAML, _corrupted(rng, yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "replace"))
    if choice < 0.9:
        return YAML, rng.choice(_BOMBS).encode()
    return JSON, rng.choice(_DEEP)


def _json(document: Any) -> bytes:
    import json

    return json.dumps(document, allow_nan=True).encode("utf-8", "replace")


def _protobuf(kind: Kind[Any], document: Any) -> bytes:
    try:
        body: bytes = protobuf_writer.body(codec.decode(kind, _json(document)))
    except Exception:  # what the writer of these tests cannot write is not sent
        return b""
    return body


def _patch(rng: random.Random, kind: Kind[Any]) -> tuple[str, bytes]:
    media = rng.choice(PATCHES)
    if media != PATCHES[0]:
        change = object_of(rng, kind.type)
        if rng.random() < 0.5:
            change = mutated(rng, rng.choice((change, {"metadata": {"labels": {"app": None}, "finalizers": None}},
            {"spec": {"containers": [{"name": "app", "image": "b:1"}]}})), kind.type)  # fmt: skip
        body = _json(change) if rng.random() < 0.95 else rng.choice(_DEEP)
        return rng.choice((media, media, media, media, media, "application/apply-patch+yaml", JSON, "")), _corrupted(
            rng, body
        )
    pointers = ("", "/", "/metadata", "/metadata/labels", "/metadata/labels/app", "/metadata/labels/a~1b", "/spec", "/spec/containers/0",
    "/spec/containers/-", "/spec/containers/9", "/spec/ports/-1", "/metadata/finalizers/-", "/~", "nope", "/kind", "/metadata/name",
    "/spec/٣", "/data/a")  # fmt: skip
    operations: list[Any] = []
    for _ in range(rng.randrange(4)):
        operation: dict[str, Any] = {
            "op": rng.choice(("add", "remove", "replace", "move", "copy", "test", "nope")),
            "path": rng.choice(pointers),
        }
        if rng.random() < 0.9:
            operation["value"] = rng.choice((odd(rng), rng.choice(_TEXTS)))
        if rng.random() < 0.5:
            operation["from"] = rng.choice(pointers)
        operations.append(mutated(rng, operation, kind.type) if rng.random() < 0.15 else operation)
    return media, _corrupted(rng, _json(operations if rng.random() < 0.95 else odd(rng)))


def _corrupted(rng: random.Random, body: bytes) -> bytes:
    """Now and then some bytes are others."""
    if not body or rng.random() > 0.04:
        return body
    broken = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(broken) + 1)
        broken[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(broken)


def _query(rng: random.Random) -> str:
    if rng.random() < 0.75:
        return ""
    chosen = rng.sample(list(_PARAMETERS), rng.randrange(1, 4))
    text = urlencode({name: _PARAMETERS[name](rng) for name in chosen})
    if rng.random() < 0.05:
        text += rng.choice(("&", "&=", "&%", "&%ff=%fe", "&&;a", "?", "&watch"))
    return "?" + text


def _broken_path(rng: random.Random, path: str) -> str:
    parts = path.split("/")
    parts[rng.randrange(len(parts))] = quote(rng.choice((*_TEXTS, "watch", "namespaces")), safe=rng.choice(("", "/")))
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts)), rng.choice(("", "..", ".", "watch", "%2F", "%ff")))
    return "/".join(parts) if parts[0] == "" else "/" + "/".join(parts)


def _pod_spec(rng: random.Random) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": "a:1",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    placed = {"nodeName": "n1"} if rng.random() < 0.5 else {}
    return {"containers": [container], **placed}


def _template(rng: random.Random) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": _pod_spec(rng)["containers"]}}
    return {"spec": {"replicas": rng.randrange(3), "selector": {"matchLabels": {"app": "a"}}, "template": template}}


def _service(rng: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "b"}],
        "selector": {"app": "a"},
    }
    spec["type"] = rng.choice(("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"))
    if rng.random() < 0.2:
        spec["clusterIP"] = rng.choice(("None", "10.96.0.77"))
    return {"spec": spec}


_GOOD: dict[Kind[Any], Callable[[random.Random], dict[str, Any]]] = {
    kinds.POD: lambda r: {"spec": _pod_spec(r)},
    kinds.DEPLOYMENT: _template,
    kinds.REPLICA_SET: _template,
    kinds.SERVICE: _service,
    kinds.CONFIG_MAP: lambda r: {"data": {"a": r.choice(_TEXTS)}},
    kinds.SECRET: lambda r: {"stringData": {"a": r.choice(_TEXTS)}, "type": r.choice(("Opaque", "x/y"))},
    kinds.NODE: lambda r: {"status": {"addresses": [{"type": "InternalIP", "address": "169.254.0.1"}]}},
    kinds.LEASE: lambda r: {"spec": {"holderIdentity": "n1", "renewTime": "2026-01-01T00:00:00.000000Z"}},
    kinds.ENDPOINTS: lambda r: {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]},
    kinds.ENDPOINT_SLICE: lambda r: {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"]}], "ports": [{"port": 80}]},
    kinds.EVENT: lambda r: {"involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"}, "reason": "r", "count": 1},
}  # fmt: skip


def _bomb(first: str, opening: str, closing: str) -> str:
    """Nine of the line before, in each of nine lines."""
    lines = [f"a: &a {first}"]
    for this, before in zip("bcdefghij", "abcdefghi", strict=True):
        lines.append(f"{this}: &{this} {opening}" + ",".join([f"*{before}"] * 9) + closing)
    return "\n".join(lines)


_BOMBS = (
    _bomb("[x,x,x]", "[", "]"),
    _bomb("{k: v, l: w}", "{<<: [", "]}"),
    "&a [*a]", "&a {x: *a}", "? &a [*a]\n: b", "<<: *x", "<<: [1]", "a: !!timestamp x", "a: !!float ''", "a: !!int ''", "a: !!binary é",
    "a: !!set {b}",
    "a: !!python/object:os.system x", "a: 0x" + "f" * 5000, "a: " + "9" * 5000, "1: 2\n1.5: 3\ntrue: 4\n~: 5", "- - - - -\n- ",
    "a: .inf\nb: .nan", "---\na: 1\n---\nb: 2",
    "[" * 3000, "a: " * 300, "- " * 3000, "{a: " * 3000, "%YAML 9.9\n---\n", "\t", "a: !<x> y", "a: |\n\x01", "a: !!omap [b: c]",
    "a: !!pairs [b: c]", "a: 2001-01-01",
)  # fmt: skip
_DEEP = (
    b"[" * 100_000, b'{"a":' * 5_000, b'{"metadata":' + b'{"labels":' * 3000, b"[" * 900 + b"]" * 900,
    b'{"a":' * 990 + b"1" + b"}" * 990, b'{"metadata":' * 985 + b"{}" + b"}" * 985,
    b'{"spec":' * 600 + b"{}" + b"}" * 600, b'{"kind":null,"kind":1}', b"null", b"1", b'""', b"\xff", b'{"metadata":{"name":"\\ud800"}}',
    b'{"a":1e999}', b'{"metadata":{"generation":1e400}}',
    b'{"metadata":{"x":99999999999999999999999999}}', b'{"metadata":{"x":"\\ud800"}}', b'{"spec":{"x":\xff}}', b"[]", b"", b" ", b"{}",
    b"\xef\xbb\xbf{}",
    b'{"metadata":{"managedFields":[{"fieldsV1":' + b'{"f:a":' * 2000 + b"1" + b"}" * 2000 + b"}]}}",
)  # fmt: skip
_PARAMETERS = {
    "labelSelector": selector,
    "fieldSelector": field_selector,
    "limit": lambda r: r.choice(("1", "2", "0", "-1", "x", "9" * 25, "", "1.5")),
    "continue": lambda r: r.choice(("", "x", "e30", token(r), token(r), token(r), "é", "====", "A" * 999)),
    "resourceVersion": lambda r: r.choice(("", "0", "1", "5", "20", "99999999", "9" * 30, "9" * 5000, "-1", "x", "٣", "1 ")),
    "resourceVersionMatch": lambda r: r.choice(("Exact", "NotOlderThan", "", "x")),
    "sendInitialEvents": lambda r: r.choice(("true", "false", "", "x")),
    "allowWatchBookmarks": lambda r: r.choice(("true", "1", "x")),
    "timeoutSeconds": lambda r: r.choice(("1", "0", "-1", "9" * 18, "9" * 40, "x")),
    "watch": lambda r: r.choice(("true", "1", "0", "", "x")),
    "dryRun": lambda r: r.choice(("All", "All", "", "x")),
    "fieldValidation": lambda r: r.choice(("Strict", "Warn", "Ignore", "", "x")),
    "fieldManager": lambda r: r.choice(_TEXTS),
    "pretty": lambda r: r.choice(("true", "1", "x", "")),
    "force": lambda r: r.choice(("true", "false")),
    "gracePeriodSeconds": lambda r: r.choice(("0", "1", "30", "-1", "9" * 15, "9" * 19, "x")),
    "propagationPolicy": lambda r: r.choice(("Orphan", "Foreground", "Background", "", "x")),
    "orphanDependents": lambda r: r.choice(("true", "false", "x")),
    "includeObject": lambda r: r.choice(("None", "Object", "Metadata", "x")),
    "container": lambda r: r.choice(_TEXTS),
    "tailLines": lambda r: r.choice(("1", "x", "-1")),
    "follow": lambda r: r.choice(("true", "x")),
    "exclude": lambda r: r.choice(_TEXTS),
    "verbose": lambda r: "",
}  # fmt: skip
