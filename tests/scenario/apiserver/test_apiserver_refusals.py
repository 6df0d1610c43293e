"""What cannot be done, and how clients are told: code, reason and message, to the letter."""

# ruff: noqa: E501 - messages stand in one piece

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from api import protobuf
from api.meta_v1 import Status
from client.kubeconfig import load
from kit.http.client import HttpClient
from kit.http.tls import client_context

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MAPS = "/api/v1/namespaces/default/configmaps"
BOTH = f"{JSON}, {YAML}, {PROTOBUF}"
UNORIENTED = "the server rejected our request due to an error in our request"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "c"}]}},
    },
}


class Case(NamedTuple):
    """A request, and the Status that it gets."""

    method: str
    path: str
    body: bytes | str | dict[str, Any] | list[Any]
    code: int
    reason: str
    message: str
    content_type: str = JSON
    accept: str = JSON

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.code} {self.message[:40]}"


class Said(NamedTuple):
    """An answer, and its warnings."""

    status: int
    headers: dict[str, str]
    body: bytes
    warnings: list[str]


def options(kind: str, cause: str) -> str:
    return f'{kind}.meta.k8s.io "" is invalid: {cause}'


WRITES = [
    Case("POST", f"{MAPS}?dryRun=Some", {}, 422, "Invalid", options("CreateOptions", 'dryRun: Unsupported value: ["Some"]: supported values: "All"')),
    Case("POST", f"{MAPS}?fieldValidation=strict", {}, 422, "Invalid", options("CreateOptions", 'fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"')),
    Case("PUT", f"{MAPS}/a?fieldManager={'x' * 129}", {"metadata": {"name": "a"}}, 422, "Invalid", options("UpdateOptions", "fieldManager: Too long: may not be more than 128 bytes")),
    Case("PATCH", f"{MAPS}/a?force=true", {}, 422, "Invalid", options("PatchOptions", "force: Forbidden: may not be specified for non-apply patch"), MERGE),
    Case("POST", MAPS, "", 400, "BadRequest", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
    Case("POST", MAPS, '{"metadata":{"name":"a"', 400, "BadRequest", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({\"metadata\":{\"name\":\"a\")"),
    Case("POST", MAPS, "hello", 400, "BadRequest", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value (68656c6c6f)"),
    Case("POST", MAPS, {"data": {"a": 1}}, 400, "BadRequest", 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string'),
    Case("POST", DEPLOYMENTS, {"spec": {"replicas": "two"}}, 400, "BadRequest", 'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'),
    Case("POST", DEPLOYMENTS, {"spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1x"}}}]}}}}, 400, "BadRequest", "Deployment in version \"v1\" cannot be handled as a Deployment: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    Case("POST", f"{MAPS}?fieldValidation=Strict", '{"metadata":{"name":"x","nope":1},"data":{"a":"1","a":"2"}}', 400, "BadRequest", 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.nope", duplicate field "data.a"'),
    Case("POST", f"{MAPS}?fieldValidation=Strict", "metadata:\n  name: x\ndata:\n  a: b\n  a: c\n", 400, "BadRequest", 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 5: key "a" already set in map', YAML),
    Case("POST", MAPS, {"kind": "Pod", "apiVersion": "v1"}, 400, "BadRequest", 'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion'),
    Case("POST", MAPS, {"kind": "Nope", "apiVersion": "v1"}, 400, "BadRequest", 'Nope in version "v1" cannot be handled as a ConfigMap: no kind "Nope" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
    Case("POST", DEPLOYMENTS, {"kind": "Deployment", "apiVersion": "apps/v1beta1"}, 400, "BadRequest", "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)"),
    Case("POST", MAPS, {"metadata": {"name": "x", "namespace": "other"}}, 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    Case("POST", MAPS, {"metadata": {"name": "x", "resourceVersion": "5"}}, 400, "BadRequest", "resourceVersion should not be set on objects to be created"),
    Case("POST", MAPS, {}, 422, "Invalid", 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    Case("POST", MAPS, {"metadata": {"name": "a"}}, 409, "AlreadyExists", 'configmaps "a" already exists'),
    Case("POST", "/api/v1/namespaces/missing/configmaps", {"metadata": {"name": "a"}}, 404, "NotFound", 'namespaces "missing" not found'),
    Case("POST", "/api/v1/namespaces/going/configmaps", {"metadata": {"name": "a"}}, 403, "Forbidden", 'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated'),
    Case("POST", "/api/v1/namespaces/default/nopes", {}, 404, "NotFound", "the server could not find the requested resource"),
    Case("POST", MAPS, "x", 415, "UnsupportedMediaType", f"the body of the request was in an unknown format - accepted media types include: {BOTH}", "application/cbor"),
    Case("POST", MAPS, {"metadata": {"name": "never"}}, 406, "NotAcceptable", f"only the following media types are accepted: {BOTH}", JSON, "application/cbor"),
    Case("PUT", f"{MAPS}/missing", {"metadata": {"name": "missing"}}, 404, "NotFound", 'configmaps "missing" not found'),
    Case("PUT", f"{MAPS}/a", {"metadata": {"name": "b"}}, 400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"),
    Case("PUT", f"{MAPS}/a", {"data": {}}, 400, "BadRequest", "the name of the object (a based on URL) was undeterminable: name must be provided"),
    Case("PUT", f"{MAPS}/a", {"metadata": {"name": "a", "resourceVersion": "1"}}, 409, "Conflict", 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again'),
    Case("PUT", f"{MAPS}/fixed", {"metadata": {"name": "fixed"}, "immutable": True, "data": {"a": "2"}}, 422, "Invalid", 'ConfigMap "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set'),
]  # fmt: skip
PATCHES = [
    Case("PATCH", f"{MAPS}/a", {}, 415, "UnsupportedMediaType", f"the body of the request was in an unknown format - accepted media types include: {JSON_PATCH}, {MERGE}, {STRATEGIC}, application/apply-patch+yaml"),
    Case("PATCH", f"{MAPS}/missing", {}, 404, "NotFound", 'configmaps "missing" not found', MERGE),
    Case("PATCH", f"{MAPS}/a", "{", 400, "BadRequest", "error decoding patch: unexpected end of JSON input", MERGE),
    Case("PATCH", f"{MAPS}/a", [], 400, "BadRequest", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}", MERGE),
    Case("PATCH", f"{MAPS}/a", {}, 400, "BadRequest", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp", JSON_PATCH),
    Case("PATCH", f"{MAPS}/a", "[1]x", 400, "BadRequest", "error decoding patch: invalid character 'x' after top-level value", JSON_PATCH),
    Case("PATCH", f"{MAPS}/a", "[]", 400, "BadRequest", "json: cannot unmarshal array into Go value of type map[string]interface {}", STRATEGIC),
    Case("PATCH", f"{MAPS}/a", [{"op": "test", "path": "/data/a", "value": "no"}], 422, "Invalid", UNORIENTED, JSON_PATCH),
    Case("PATCH", f"{MAPS}/a", [{"op": "remove", "path": "/data/no"}], 422, "Invalid", UNORIENTED, JSON_PATCH),
    Case("PATCH", f"{MAPS}/a", [{"op": "remove", "path": "/data"}] * 10001, 413, "RequestEntityTooLarge", "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001", JSON_PATCH),
    Case("PATCH", f"{MAPS}/a", {"metadata": {"name": "b"}}, 400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)", MERGE),
    Case("PATCH", f"{MAPS}/a", {"metadata": {"namespace": "b"}}, 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request", MERGE),
    Case("PATCH", f"{MAPS}/a", {"metadata": {"resourceVersion": "1"}}, 409, "Conflict", 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again', MERGE),
    Case("PATCH", f"{DEPLOYMENTS}/d?fieldValidation=Strict", {"spec": {"foo": {"b": 1, "a": [True, None]}}}, 422, "Invalid", ' "" is invalid: patch: Invalid value: "map[spec:map[foo:map[a:[true <nil>] b:1]]]": strict decoding error: unknown field "spec.foo"', STRATEGIC),
    Case("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": "x"}}, 422, "Invalid", ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32', STRATEGIC),
    Case("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"selector": {"matchLabels": {"app": "e"}}}}, 422, "Invalid", 'Deployment.apps "d" is invalid: [spec.template.metadata.labels: Invalid value: {"app":"d"}: `selector` does not match template `labels`, spec.selector: Invalid value: {"matchLabels":{"app":"e"}}: field is immutable]', MERGE),
]  # fmt: skip
DELETES = [
    Case("DELETE", f"{MAPS}/missing", "", 404, "NotFound", 'configmaps "missing" not found'),
    Case("DELETE", f"{MAPS}/a", {"kind": "Pod", "apiVersion": "v1"}, 400, "BadRequest", 'no kind "Pod" is registered for version "v1" in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:30"'),
    Case("DELETE", f"{MAPS}/a?propagationPolicy=Never", "", 422, "Invalid", options("DeleteOptions", 'propagationPolicy: Unsupported value: "Never": supported values: "Foreground", "Background", "Orphan", "nil"')),
    Case("DELETE", f"{MAPS}/a", {"propagationPolicy": "Orphan", "orphanDependents": True}, 422, "Invalid", options("DeleteOptions", 'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set')),
    Case("DELETE", f"{MAPS}/a", {"dryRun": ["None"]}, 422, "Invalid", options("DeleteOptions", 'dryRun: Unsupported value: ["None"]: supported values: "All"')),
    Case("DELETE", f"{MAPS}/a?gracePeriodSeconds=x", "", 400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax'),
    Case("DELETE", f"{MAPS}/a", {"preconditions": {"resourceVersion": "1"}}, 409, "Conflict", 'Operation cannot be fulfilled on configmaps "a": Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: {revision}'),
    Case("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "1"}}, 409, "Conflict", 'Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: 1, UID in object meta: {uid}'),
    Case("DELETE", f"{MAPS}?resourceVersionMatch=Exact", "", 422, "Invalid", options("ListOptions", "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")),
    Case("DELETE", "/api/v1/namespaces/kube-system", "", 403, "Forbidden", 'namespaces "kube-system" is forbidden: this namespace may not be deleted'),
]  # fmt: skip
READS = [
    Case("GET", f"{MAPS}/missing", "", 404, "NotFound", 'configmaps "missing" not found'),
    Case("GET", f"{MAPS}?labelSelector=a%20b", "", 400, "BadRequest", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    Case("GET", f"{MAPS}?labelSelector=a%20in%20b", "", 400, "BadRequest", "unable to parse requirement: found 'b' expected: '('"),
    Case("GET", f"{MAPS}?labelSelector=%3Da", "", 400, "BadRequest", "found '=', expected: !, identifier, or 'end of string'"),
    Case("GET", f"{MAPS}?labelSelector=a,,b", "", 400, "BadRequest", "found ',', expected: identifier after ','"),
    Case("GET", f"{MAPS}?labelSelector=a%3Eb", "", 400, "BadRequest", "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer"),
    Case("GET", f"{MAPS}?fieldSelector=spec.x%3Da", "", 400, "BadRequest", '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    Case("GET", "/api/v1/pods?fieldSelector=spec.x%3Da", "", 400, "BadRequest", "field label not supported: spec.x"),
    Case("GET", "/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.x%3Da", "", 400, "BadRequest", "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x"),
    Case("GET", f"{MAPS}?fieldSelector=a", "", 400, "BadRequest", "invalid selector: 'a'; can't understand 'a'"),
    Case("GET", f"{MAPS}?continue=x", "", 400, "BadRequest", "continue key is not valid: illegal base64 data at input byte 0"),
    Case("GET", f"{MAPS}?limit=x", "", 400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax'),
    Case("GET", f"{MAPS}?resourceVersionMatch=Exact&resourceVersion=0", "", 422, "Invalid", options("ListOptions", 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')),
    Case("GET", f"{MAPS}?resourceVersionMatch=Some&resourceVersion=1", "", 422, "Invalid", options("ListOptions", 'resourceVersionMatch: Unsupported value: "Some": supported values: "Exact", "NotOlderThan", ""')),
    Case("GET", f"{MAPS}?sendInitialEvents=true", "", 422, "Invalid", options("ListOptions", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")),
    Case("GET", f"{MAPS}?timeoutSeconds=1&watch=1&sendInitialEvents=true", "", 422, "Invalid", options("ListOptions", "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")),
    Case("GET", f"{MAPS}?timeoutSeconds=1&watch=1&resourceVersionMatch=NotOlderThan", "", 422, "Invalid", options("ListOptions", "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")),
    Case("GET", f"{MAPS}?timeoutSeconds=1&watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", "", 422, "Invalid", options("ListOptions", '[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]')),
    Case("GET", "/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=1&fieldSelector=metadata.name%3Db", "", 400, "BadRequest", "fieldSelector metadata.name doesn't match requested name"),
    Case("GET", f"{MAPS}?includeObject=All", "", 400, "BadRequest", "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty", JSON, TABLE),
    Case("GET", MAPS, "", 406, "NotAcceptable", f"only the following media types are accepted: {BOTH}", JSON, "text/html"),
    Case("GET", MAPS, "", 406, "NotAcceptable", f"only the following media types are accepted: {BOTH}", JSON, "application/cbor"),
    Case("GET", f"{MAPS}?timeoutSeconds=1&watch=1", "", 406, "NotAcceptable", f"only the following media types are accepted: {JSON};stream=watch, {PROTOBUF};stream=watch", JSON, YAML),
    Case("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {}}, 406, "NotAcceptable", f"only the following media types are accepted: {BOTH}", JSON, TABLE),
]  # fmt: skip


@pytest.fixture
async def ask(secure: Any) -> AsyncIterator[Any]:
    """Sends a request as the administrator; the status, headers and body of the answer."""
    access = load(secure.kubeconfig())
    http = HttpClient(
        "127.0.0.1", secure.port, client_context(access.ca, access.cert, access.key), server_name="localhost"
    )

    async def sent(method: str, path: str, body: Any = b"", content_type: str = JSON, accept: str = JSON) -> Any:
        data = (
            body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        headers = [
            ("Accept", accept),
            *((("Content-Type", content_type),) if data or method in ("POST", "PUT", "PATCH") else ()),
        ]
        async with http.stream(method, path, body=data, headers=headers, timeout=60) as incoming:
            said = [value.decode() for name, value in incoming.raw_headers if name.lower() == b"warning"]
            return Said(incoming.status, incoming.headers, await incoming.body(), said)

    for path, obj in (
        (MAPS, {"metadata": {"name": "a"}, "data": {"a": "1"}}),
        (MAPS, {"metadata": {"name": "fixed"}, "immutable": True, "data": {"a": "1"}}),
        (DEPLOYMENTS, DEPLOYMENT),
        ("/api/v1/namespaces", {"metadata": {"name": "going", "finalizers": ["example.com/hold"]}}),
    ):
        assert (await sent("POST", path, obj)).status == 201
    await sent("DELETE", "/api/v1/namespaces/going")
    yield sent
    await http.close()


@pytest.mark.parametrize("cases", [WRITES, PATCHES, DELETES, READS], ids=["writes", "patches", "deletes", "reads"])
async def test_every_refusal_to_the_letter(ask: Any, cases: list[Case]) -> None:
    before = json.loads((await ask("GET", f"{MAPS}/a")).body)["metadata"]
    wrong = []
    for case in cases:
        reply = await ask(case.method, case.path, case.body, case.content_type, case.accept)
        status = yaml.safe_load(reply.body) if case.accept == YAML else msgspec.json.decode(reply.body)
        message = case.message.replace("{revision}", before["resourceVersion"]).replace("{uid}", before["uid"])
        wanted = (case.code, case.reason, message)
        found = (reply.status, status.get("reason"), status.get("message"))
        if found != wanted or status.get("code") != case.code:
            wrong.append(f"{case}\n  wanted {wanted}\n  found  {found}")
    assert not wrong, "\n".join(wrong)
    assert json.loads((await ask("GET", f"{MAPS}/a")).body)["metadata"] == before
    assert (await ask("GET", f"{MAPS}/never")).status == 404


async def test_a_terminating_namespace_is_named_as_the_cause(ask: Any) -> None:
    reply = await ask("POST", "/api/v1/namespaces/going/configmaps", {"metadata": {"name": "a"}})
    assert json.loads(reply.body)["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace going is being terminated",
            "field": "metadata.namespace",
        }
    ]


async def test_a_failure_comes_in_the_form_that_the_client_reads(ask: Any) -> None:
    reply = await ask("GET", f"{MAPS}/missing", accept=PROTOBUF)
    assert (reply.status, reply.headers["content-type"]) == (404, PROTOBUF)
    status = protobuf.decode(Status, reply.body)
    assert (status.reason, status.message, status.code) == ("NotFound", 'configmaps "missing" not found', 404)
    reply = await ask("DELETE", f"{MAPS}/a", accept=PROTOBUF)
    assert protobuf.decode(Status, reply.body).status == "Success"


WARNED = [
    (
        "POST",
        f"{MAPS}?dryRun=All",
        '{"metadata":{"name":"w","nope":1},"data":{"a":"1","a":"2"}}',
        JSON,
        ['299 - "unknown field \\"metadata.nope\\""', '299 - "duplicate field \\"data.a\\""'],
    ),
    ("POST", f"{MAPS}?dryRun=All&fieldValidation=Ignore", '{"metadata":{"name":"w","nope":1}}', JSON, []),
    (
        "POST",
        f"{MAPS}?dryRun=All",
        "metadata:\n  name: w\ndata:\n  a: b\n  a: c\n",
        YAML,
        ['299 - "line 5: key \\"a\\" already set in map"'],
    ),
    ("PUT", f"{MAPS}/a?dryRun=All", {"metadata": {"name": "a"}, "x": 1}, JSON, ['299 - "unknown field \\"x\\""']),
    ("PATCH", f"{MAPS}/a?dryRun=All", '{"x":1,"data":{"b":"1","b":"2"}}', MERGE, ['299 - "duplicate field \\"data.b\\""', '299 - "unknown field \\"x\\""']),
    ("PATCH", f"{MAPS}/a?dryRun=All", [{"op": "add", "path": "/x", "value": 1, "y": 2}], JSON_PATCH, ['299 - "json patch unknown field \\"[0].y\\""', '299 - "unknown field \\"x\\""']),
    ("PATCH", f"{MAPS}/a?dryRun=All", {"x": 1}, STRATEGIC, ['299 - "unknown field \\"x\\""']),
    ("GET", "/api/v1/endpoints", "", JSON, ['299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"']),
    ("GET", "/api/v1/namespaces/default/endpoints/missing", "", JSON, ['299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"']),
    ("POST", "/api/v1/namespaces/default/services?dryRun=All", {"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "externalIPs": ["1.2.3.4"], "ports": [{"port": 1}]}}, JSON, ['299 - "spec.externalIPs is ignored for headless services"']),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "content_type", "wanted"), WARNED)
async def test_warnings(ask: Any, method: str, path: str, body: Any, content_type: str, wanted: list[str]) -> None:
    reply = await ask(method, path, body, content_type)
    assert (reply.status // 100 in (2, 4), reply.warnings) == (True, wanted), reply.body


async def test_a_failed_write_warns_too(ask: Any) -> None:
    reply = await ask("POST", MAPS, {"metadata": {"name": "A"}, "nope": 1})
    assert (reply.status, reply.warnings) == (422, ['299 - "unknown field \\"nope\\""'])
