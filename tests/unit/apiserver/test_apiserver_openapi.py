"""OpenAPI in both versions: consistent in itself, and saying what clients look for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api import kinds
from controlplane.apiserver.openapi import packed, v2, v3
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
