"""OpenAPI in both versions: consistent in itself, and saying what clients look for."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import api
from api import choices, kinds
from api.fields import Type
from controlplane.apiserver.call import Answer, Call
from controlplane.apiserver.openapi import descriptions, packed, v2, v3
from controlplane.apiserver.openapi.operations import roots

V2 = v2.describe(kinds.SERVED, "v1")
V3 = v3.describe(kinds.SERVED, "v1", roots(kinds.SERVED))
CORE = "io.k8s.api.core.v1"
POD = "/api/v1/namespaces/{namespace}/pods"


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for item in document:
            yield from references(item)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


@pytest.mark.parametrize(
    ("document", "prefix", "known"),
    [(V2, "#/definitions/", V2["definitions"]), (V3, "#/components/schemas/", V3["components"]["schemas"])],
    ids=["v2", "v3"],
)
def test_references_lead_somewhere(document: dict[str, Any], prefix: str, known: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > 500
    assert {reference for reference in found if reference.removeprefix(prefix) not in known} == set()


def test_both_versions_have_the_same_operations_each_under_its_own_name() -> None:
    names = [operation["operationId"] for operation in operations(V3).values()]
    assert len(names) == len(set(names)) > 500
    assert operations(V2).keys() == operations(V3).keys()


@pytest.mark.parametrize("kind", kinds.SERVED, ids=lambda kind: kind.resource)
def test_every_verb_has_its_operation(kind: kinds.Kind[Any]) -> None:
    marks = {"group": kind.group, "version": kind.version, "kind": kind.name}
    actions = {
        operation["x-kubernetes-action"]
        for operation in operations(V3).values()
        if operation.get("x-kubernetes-group-version-kind") == marks
    }
    words = {"create": "post", "update": "put"}
    assert {words.get(verb, verb) for verb in kind.verbs} - {"watch"} <= actions


def test_names_of_operations() -> None:
    found = {place: operation["operationId"] for place, operation in operations(V3).items()}
    assert found["/api/v1/pods", "get"] == "listCoreV1PodForAllNamespaces"
    assert found[POD, "delete"] == "deleteCoreV1CollectionNamespacedPod"
    assert found[f"{POD}/{{name}}", "get"] == "readCoreV1NamespacedPod"
    assert found[f"{POD}/{{name}}/exec", "post"] == "connectCoreV1PostNamespacedPodExec"
    assert found[f"{POD}/{{name}}/proxy/{{path}}", "options"] == "connectCoreV1OptionsNamespacedPodProxyWithPath"
    assert found["/apis/rbac.authorization.k8s.io/v1/clusterroles", "post"] == "createRbacAuthorizationV1ClusterRole"
    scale = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
    assert found[scale, "put"] == "replaceAppsV1NamespacedDeploymentScale"


def test_what_clients_look_for() -> None:
    schemas = V3["components"]["schemas"]
    patch = operations(V3)[f"{POD}/{{name}}", "patch"]
    assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= {p["name"] for p in patch["parameters"]}
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
    assert patch["requestBody"]["content"].keys() == set(operations(V2)[f"{POD}/{{name}}", "patch"]["consumes"])
    container = schemas[f"{CORE}.Container"]
    assert container["required"] == ["name"]
    ports = container["properties"]["ports"]
    assert (ports["x-kubernetes-list-type"], ports["x-kubernetes-list-map-keys"]) == (
        "map",
        ["containerPort", "protocol"],
    )
    assert (ports["x-kubernetes-patch-strategy"], ports["x-kubernetes-patch-merge-key"]) == ("merge", "containerPort")
    assert schemas["io.k8s.api.apps.v1.DeploymentSpec"]["required"] == ["selector", "template"]
    assert schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["replicas"]["format"] == "int32"
    assert schemas[f"{CORE}.PodSpec"]["properties"]["activeDeadlineSeconds"]["format"] == "int64"
    assert schemas[f"{CORE}.SecretKeySelector"]["x-kubernetes-map-type"] == "atomic"
    assert schemas[f"{CORE}.PodList"]["x-kubernetes-group-version-kind"][0]["kind"] == "PodList"
    strategy = schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]
    assert strategy["x-kubernetes-patch-strategy"] == "retainKeys"
    assert list(strategy["allOf"][0]) == ["$ref"]


def test_parts_of_a_group_are_one_group() -> None:
    names = V3["components"]["schemas"]
    assert f"{CORE}.PersistentVolume" in names and "io.k8s.api.apps.v1.StatefulSet" in names
    assert not [name for name in names if "_" in name]


def test_the_packed_form_has_the_definitions() -> None:
    data = packed.pack(V2)
    assert b"io.k8s.api.core.v1.PodSpec" in data and b"x-kubernetes-group-version-kind" in data


def schemas_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["definitions"] if "definitions" in document else document["components"]["schemas"]
    return found


@pytest.mark.parametrize("document", [V2, V3], ids=["v2", "v3"])
def test_every_schema_says_what_it_is(document: dict[str, Any]) -> None:
    silent = [name for name, schema in schemas_of(document).items() if not schema.get("description", "").endswith(".")]
    assert silent == []


def types() -> list[type[Type]]:
    """All types of the API."""
    found = []
    for _, name, _ in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"api.{name}")
        declared = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Type)]
        found += [cls for cls in declared if cls.__module__ == module.__name__ and cls is not Type]
    return found


@pytest.mark.parametrize("cls", types(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_type_says_what_it_is_and_names_fields_that_it_has(cls: type[Type]) -> None:
    sentence = descriptions.of_type(cls)
    assert sentence.endswith(".") and sentence[0].isupper()
    assert descriptions.of_fields(cls).keys() <= set(cls.__struct_fields__)
    lines = (cls.__doc__ or "").strip().split("\n")[1:]
    assert len([line for line in lines if line.strip()]) == len(descriptions.of_fields(cls))


def test_fields_say_what_they_are() -> None:
    schemas = schemas_of(V3)
    container = schemas[f"{CORE}.Container"]["properties"]
    assert container["image"]["description"] == "The image that it runs from."
    assert container["resources"]["description"] == "What it needs at least and may use at most."
    assert list(container["resources"]) == ["allOf", "description"]
    assert schemas[f"{CORE}.PodCondition"]["properties"]["status"]["description"].startswith("Whether it is the case")
    assert schemas_of(V2)[f"{CORE}.Container"]["properties"]["image"] == container["image"]
    assert b"A program that runs in a pod" in packed.pack(V2)


def test_fields_say_what_they_may_hold() -> None:
    for document in (V2, V3):
        schemas = schemas_of(document)
        assert schemas[f"{CORE}.Container"]["properties"]["imagePullPolicy"]["enum"] == [
            "Always",
            "IfNotPresent",
            "Never",
        ]
        modes = schemas[f"{CORE}.PersistentVolumeClaimSpec"]["properties"]["accessModes"]
        assert modes["items"]["enum"] == list(choices.ACCESS_MODES)
        states = schemas[f"{CORE}.PersistentVolumeClaimStatus"]["properties"]["allocatedResourceStatuses"]
        assert states["additionalProperties"]["enum"] == list(choices.RESIZE_STATES)
    assert b"TerminatingOrFailed" in packed.pack(V2)


def test_what_is_of_any_kind() -> None:
    schemas = schemas_of(V3)
    raw = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.runtime.RawExtension"}
    assert schemas["io.k8s.api.apps.v1.ControllerRevision"]["properties"]["data"] == raw
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
    fields = schemas[f"{meta}.ManagedFieldsEntry"]["properties"]["fieldsV1"]
    assert fields == {"$ref": f"#/components/schemas/{meta}.FieldsV1"}
    extra = schemas["io.k8s.api.authentication.v1.UserInfo"]["properties"]["extra"]["additionalProperties"]
    assert extra == {"type": "array", "items": {"type": "string"}}
    assert {"group": "apps", "version": "v1", "kind": "WatchEvent"} in schemas[f"{meta}.WatchEvent"][
        "x-kubernetes-group-version-kind"
    ]


def test_discovery_has_operations() -> None:
    found = {path: operation["operationId"] for (path, _), operation in operations(V3).items() if path.endswith("/")}
    assert found["/api/"] == "getCoreAPIVersions"
    assert found["/api/v1/"] == "getCoreV1APIResources"
    assert found["/apis/"] == "getAPIVersions"
    assert found["/apis/apps/"] == "getAppsAPIGroup"
    assert found["/apis/rbac.authorization.k8s.io/v1/"] == "getRbacAuthorizationV1APIResources"


def test_documents_are_kept_packed() -> None:
    served = v3.OpenApi(kinds.SERVED, "v1")
    first, index = Call("GET", "/openapi/v3/apis/apps/v1"), Call("GET", "/openapi/v3")
    answer = served.serve(first)
    assert isinstance(answer, Answer)
    document = json.loads(answer.body)
    assert {path.split("/")[1] for path in document["paths"]} == {"apis"}
    tag = dict(answer.headers)["ETag"]
    again = served.serve(Call("GET", first.path, if_none_match=tag))
    assert isinstance(again, Answer) and (again.status, again.body) == (304, b"")
    listed = json.loads(asyncio.run(_answered(served, index)).body)["paths"]
    assert listed["apis/apps/v1"]["serverRelativeURL"] == f"/openapi/v3/apis/apps/v1?hash={tag[1:-1]}"
    assert {"api", "apis", "apis/apps"} <= listed.keys()
    assert sum(len(kept.packed) for kept in served._documents.values()) < 300_000


async def _answered(served: v3.OpenApi, call: Call) -> Answer:
    answer = served.serve(call)
    assert answer is not None and not isinstance(answer, Answer)
    return await answer
