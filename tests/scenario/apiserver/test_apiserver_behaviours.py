"""Conformance behaviours that need no node and that no client suite covers: collections of every kind, watches, tables, 406."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from api import kinds
from client.client import Client
from client.kubeconfig import load
from kit.http.client import HttpClient
from kit.http.tls import client_context
from tests.samples import GOOD

NS = "default"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PATIENCE = 180.0
COLLECTED = [kind for kind in kinds.ALL if "deletecollection" in kind.verbs]


@pytest.fixture
def admin(cluster: Any) -> Client:
    return cluster.server.client("admin", "system:masters")


async def send(admin: Client, method: str, path: str, document: Any, **query: str) -> Any:
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    body = msgspec.json.encode(document) if document is not None else b""
    return msgspec.json.decode(await admin.transport.request(method, path, query, body, media))


def sample(kind: kinds.Kind[Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(GOOD[kind]))
    document["metadata"].pop("resourceVersion", None)
    labels = {**document["metadata"].get("labels", {}), "suite": "behaviours"}
    document["metadata"]["labels"] = labels
    return {"apiVersion": kind.api_version, "kind": kind.name, **document}


@pytest.mark.parametrize("kind", COLLECTED, ids=lambda kind: kind.resource)
async def test_a_collection_goes_and_its_watchers_see_it(admin: Client, kind: kinds.Kind[Any]) -> None:
    """Create, list, watch, patch and deletecollection by label: the life that each API's own behaviour goes through."""
    namespace = NS if kind.namespaced else ""
    document = sample(kind)
    name, collection = document["metadata"]["name"], kind.path(namespace)
    start = (await admin.list_raw(kind, namespace)).revision
    await send(admin, "POST", collection, document)
    patched = await send(admin, "PATCH", kind.path(namespace, name), {"metadata": {"annotations": {"patched": "true"}}})
    assert patched["metadata"]["annotations"]["patched"] == "true"
    listed = await admin.list_raw(kind, namespace, labels="suite=behaviours")
    assert [msgspec.json.decode(item)["metadata"]["name"] for item in listed.items] == [name]
    options = {"gracePeriodSeconds": 0} if kind is kinds.POD else {"propagationPolicy": "Background"}
    await send(admin, "DELETE", collection, options, labelSelector="suite=behaviours")
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for event, data in admin.watch_raw(kind, namespace, labels="suite=behaviours", revision=start):
            seen.append(event)
            if event == "DELETED":
                assert msgspec.json.decode(data)["metadata"]["annotations"]["patched"] == "true"
                break
    assert seen[:2] == ["ADDED", "MODIFIED"]
    assert (await admin.list_raw(kind, namespace, labels="suite=behaviours")).items == []


async def test_an_object_that_leaves_a_selection_is_deleted_for_its_watchers(admin: Client) -> None:
    path = kinds.CONFIG_MAP.path(NS)
    start = (await admin.list_raw(kinds.CONFIG_MAP, NS)).revision
    await send(admin, "POST", path, {"metadata": {"name": "c", "labels": {"in": "yes"}}})
    for labels, data in (("no", {"mutation": "1"}), ("no", {"mutation": "2"}), ("yes", {"mutation": "3"})):
        await send(admin, "PATCH", f"{path}/c", {"metadata": {"labels": {"in": labels}}, "data": data})
    await send(admin, "DELETE", f"{path}/c", None)
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for event, data in admin.watch_raw(kinds.CONFIG_MAP, NS, labels="in=yes", revision=start):
            seen.append((event, msgspec.json.decode(data).get("data", {}).get("mutation")))
            if len(seen) == 4:
                break
    # The event that takes it out shows the object as it was when it was still selected.
    assert seen == [("ADDED", None), ("DELETED", None), ("ADDED", "3"), ("DELETED", "3")]


async def test_concurrent_watches_see_the_same_order(admin: Client) -> None:
    path = kinds.CONFIG_MAP.path(NS)
    start = int((await admin.list_raw(kinds.CONFIG_MAP, NS)).revision)
    revisions = [start]
    for number in range(20):
        made = await send(admin, "POST", path, {"metadata": {"name": f"c{number}"}})
        revisions.append(int(made["metadata"]["resourceVersion"]))

    async def order(revision: int) -> list[str]:
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE):
            async for _, data in admin.watch_raw(kinds.CONFIG_MAP, NS, revision=str(revision)):
                seen.append(msgspec.json.decode(data)["metadata"]["resourceVersion"])
                if seen[-1] == str(revisions[-1]):
                    return seen
        return seen

    whole, *later = await asyncio.gather(*(order(revision) for revision in revisions[:-1]))
    assert len(whole) == 20
    assert all(whole[-len(part) :] == part for part in later)


@pytest.fixture
async def http(secure: Any) -> Any:
    access = load(secure.kubeconfig())
    made = HttpClient(
        "127.0.0.1", secure.port, client_context(access.ca, access.cert, access.key), server_name="localhost"
    )
    yield made
    await made.close()


async def ask(http: HttpClient, method: str, path: str, accept: str, body: Any = None) -> Any:
    headers = [("Accept", accept), ("Content-Type", "application/json")]
    data = b"" if body is None else json.dumps(body).encode()
    return await http.request(method, path, body=data, headers=headers, timeout=PATIENCE)


async def test_what_has_no_metadata_is_no_table(http: HttpClient) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": NS}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    reply = await ask(http, "POST", path, TABLE, review)
    assert (reply.status, json.loads(reply.body)["reason"]) == (406, "NotAcceptable")
    assert (await ask(http, "POST", path, f"{TABLE},application/json", review)).status == 201


async def test_tables_of_pages(http: HttpClient) -> None:
    path = kinds.POD_TEMPLATE.path(NS)
    for number in range(20):
        body = {
            "metadata": {"name": f"t{number:02}"},
            "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
        }
        assert (await ask(http, "POST", path, "application/json", body)).status == 201
    rows: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        reply = json.loads((await ask(http, "GET", f"{path}?limit=7&continue={token}", TABLE)).body)
        assert (reply["kind"], reply["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        rows += [row["cells"][0] for row in reply["rows"]]
        assert all(row["object"]["kind"] == "PartialObjectMetadata" for row in reply["rows"])
        token, pages = reply["metadata"].get("continue", ""), pages + 1
    assert (rows, pages) == ([f"t{number:02}" for number in range(20)], 3)
