"""What clients may not do to the server, to each other, or by way of a node: each was possible once."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap, Node, Pod, ServiceAccount
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import Forbidden
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.pipeline import MOST_DOUBTFUL
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.http.client import HttpClient
from kit.http.heads import header_lines
from kit.http.model import Peer, Request
from kit.http.tls import client_context
from tests.scenario.apiserver.apiserver_requests import Sent
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.test_apiserver_fuzz import ADMIN, Carrier, ask

NS = "default"
MAPS = kinds.CONFIG_MAP.path(NS)
JSON, YAML = "application/json", "application/yaml"
JSON_PATCH, MERGE, STRATEGIC = (f"application/{kind}-patch+json" for kind in ("json", "merge", "strategic-merge"))
COPIES = b",".join([b'{"op":"copy","from":"/data","path":"/data/y"}'] * 40)
N1 = Peer("system:node:n1", ("system:nodes",))


@pytest.fixture
def admin(cluster: Cluster) -> Client:
    return cluster.server.client("admin", "system:masters")


async def sent(
    cluster: Cluster, method: str, target: str, body: bytes = b"", media: str = JSON, **headers: str
) -> tuple[int, Any]:
    """Status and document of the answer to an administrator over the network's door."""
    lines = [("content-type", media), *((name.replace("_", "-"), value) for name, value in headers.items())]
    code, answer, _ = await ask(cluster.server.handler, Sent(method, target, lines, body))
    return code, msgspec.json.decode(answer) if answer.startswith(b"{") else answer


def config_map(**metadata: Any) -> bytes:
    return json.dumps({"metadata": {"name": "a", **metadata}}).encode()


async def made(admin: Client) -> ConfigMap:
    return await admin.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="a", namespace=NS), data={"k": "v"}))


# bodies and patches


@pytest.mark.parametrize(
    ("media", "body", "code"),
    [
        (JSON, b"[" * 100_000, 400),
        (JSON, b'{"metadata":' * 900 + b"{}" + b"}" * 900, 422),
        (JSON, b'{"metadata":{"name":"\xff"}}', 400),
        (JSON, b'{"metadata":{"name":"a"},"x":"\xff"}', 201),
        (JSON, b'{"metadata":{"name":"a","generation":9223372036854775808}}', 400),
        (JSON, b'{"metadata":{}}', 422),
        (YAML, b"[" * 3000, 400),
        (YAML, b"a: 0x" + b"f" * 5000, 400),
        (YAML, b"a: !!timestamp x", 422),
        (YAML, b"a: !!float ''", 400),
        (YAML, b"#" * 300_000, 413),
    ],
)
async def test_bodies_that_are_none(cluster: Cluster, media: str, body: bytes, code: int):
    assert (await sent(cluster, "POST", f"{MAPS}?fieldValidation=Warn", body, media))[0] == code


@pytest.mark.parametrize(
    ("media", "body", "code"),
    [
        (MERGE, b'{"a":' * 995 + b"1" + b"}" * 995, 400),
        (STRATEGIC, b'{"a":' * 2000, 400),
        (MERGE, b'{"a":"\xff"}', 400),
        (STRATEGIC, b'{"metadata":{"finalizers":[{}]}}', 422),
        (STRATEGIC, b'{"metadata":{"ownerReferences":[{"uid":[]}]}}', 422),
        (STRATEGIC, b'{"metadata":{"$setElementOrder/finalizers":["a"],"finalizers":7}}', 422),
        (JSON_PATCH, b'[{"op":"copy","from":"","path":"/data/x"},' + COPIES + b"]", 422),
        (JSON_PATCH, b'[{"op":"add","path":"/data/k","value":' + b"[" * 3000 + b"}]", 400),
        (JSON_PATCH, b'[{"op":{},"path":"/"}]', 400),
        (JSON_PATCH, b'[{"op":"remove","path":"/data/\xd9\xa3"}]', 422),
    ],
)  # fmt: skip
async def test_patches_that_are_none(cluster: Cluster, admin: Client, media: str, body: bytes, code: int):
    await made(admin)
    assert (await sent(cluster, "PATCH", f"{MAPS}/a", body, media))[0] == code


async def test_strangers_may_not_send_much(secure: Cluster, admin: Client):
    """Their bodies would be held until it turns out that they may do nothing."""
    await admin.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=ObjectMeta(name="robot", namespace=NS)))
    asked = {"spec": {"expirationSeconds": 600}}
    path = kinds.SERVICE_ACCOUNT.path(NS, "robot", "token")
    made = await admin.transport.request("POST", path, {}, json.dumps(asked).encode())
    token = msgspec.json.decode(made)["status"]["token"]
    one = pki.issue(secure.ca, "admin", ["system:masters"], client=True)
    body = json.dumps({"metadata": {"name": "large"}, "data": {"k": "x" * 200_000}}).encode()

    async def send(pair: pki.Pair | None, data: bytes, **headers: str) -> int:
        client = HttpClient("127.0.0.1", secure.port, client_context(secure.ca.cert, *(pair or (None, None))))
        try:
            reply = await client.request("POST", MAPS, body=data, headers=[("Content-Type", JSON), *headers.items()])
            return reply.status
        finally:
            await client.close()

    assert await send(None, body) == 413
    assert await send(None, body, Authorization="Bearer nobody's") == 413
    assert await send(None, b"{}") == 403
    assert await send(None, body, Authorization=f"Bearer {token}") == 403, "known, and may not"
    assert await send(one, body) == 201


async def test_objects_that_are_too_large(cluster: Cluster):
    body = config_map(annotations={}, labels={})
    fields = b',"data":{' + b",".join(b'"k%d":"%b"' % (n, b"\\u0001" * 1000) for n in range(400)) + b"}}"
    code, answer = await sent(cluster, "POST", MAPS, body[:-1] + fields)
    assert (code, answer["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_list_of_mistakes_is_not_told_for_each_of_them(cluster: Cluster):
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": str(n), "controller": True} for n in range(3000)]
    code, answer = await sent(cluster, "POST", MAPS, config_map(ownerReferences=owners))
    assert code == 422
    assert len(answer["message"]) < 2_000_000


async def test_warnings_may_be_in_any_language_and_are_not_endless(cluster: Cluster):
    body = (
        b'{"metadata":{"name":"a"},"\xe4\xbd\xa0\\u0001":1'
        + b"".join(b',"%b%d":1' % (b"x" * 300, n) for n in range(90))
        + b"}"
    )
    request = Request("POST", f"{MAPS}?fieldValidation=Warn", [(b"content-type", JSON.encode())], body, Carrier(ADMIN))
    answer = await cluster.server.handler(request)
    lines = header_lines(answer.headers)
    assert answer.status == 201
    assert len(lines) < 6000
    assert "你".encode() in lines
    assert b"\x01" not in lines


async def test_names_that_no_path_leads_to(cluster: Cluster):
    for name in ("a/b", "..", ".", "a%b"):
        event = {"metadata": {"name": name}, "involvedObject": {"namespace": NS}}
        code, answer = await sent(cluster, "POST", kinds.EVENT.path(NS), json.dumps(event).encode())
        assert code == 422, answer
    assert (await sent(cluster, "POST", kinds.EVENT.path(NS), b'{"involvedObject":{}}'))[0] == 422


# queries and headers


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=-1", 200),
        ("limit=9999999999999999999999", 400),
        ("limit=1_0", 400),
        ("resourceVersion=" + "9" * 5000, 422),
        ("watch=1&timeoutSeconds=" + "9" * 40, 400),
        ("watch=1&timeoutSeconds=" + "9" * 18, 200),
        ("watch=1&resourceVersion=999999", 504),
        ("labelSelector=" + "%20" * 20_000, 200),
        ("labelSelector=%C3%A9", 400),
    ],
)
async def test_queries(cluster: Cluster, query: str, code: int):
    got, answer, stream = await ask(cluster.server.handler, Sent("GET", f"{MAPS}?{query}", [], b""))
    assert got == code, answer
    if stream is not None:
        stream.close()


async def test_who_asks_for_less_rights_does_not_get_his_own(cluster: Cluster):
    code, answer = await sent(cluster, "GET", MAPS, impersonate_user="jane")
    assert code == 403
    assert 'User "jane" cannot list resource "configmaps"' in answer["message"]


async def test_a_watch_has_no_form_without_lines(cluster: Cluster):
    assert (await sent(cluster, "GET", f"{MAPS}?watch=1", accept=YAML))[0] == 406
    assert not cluster.server.core.cache.resources[kinds.CONFIG_MAP].listeners


async def test_documents_that_the_client_has_are_not_sent_again(cluster: Cluster):
    for path, accept in (
        ("/openapi/v3/api/v1", JSON),
        ("/apis", f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"),
    ):
        request = Request("GET", path, [(b"accept", accept.encode())], b"", Carrier(ADMIN))
        answer = cluster.server.handler(request)
        tag = dict((await answer if isinstance(answer, Awaitable) else answer).headers)["ETag"]
        for held in (tag, f"W/{tag}", f'"x", {tag}'):
            assert (await sent(cluster, "GET", path, accept=accept, if_none_match=held))[0] == 304
        assert (await sent(cluster, "GET", path, accept=accept, if_none_match='"x"'))[0] == 200


# revisions and options


async def test_revisions_of_an_update(cluster: Cluster, admin: Client):
    now = await made(admin)
    for asked, code in (
        ("", 200),
        ("0", 200),
        (now.metadata.resource_version, 200),
        ("1", 409),
        ("x", 400),
        ("-1", 400),
        ("٣", 400),
    ):
        body = codec.encode(ConfigMap(metadata=ObjectMeta(name="a", resource_version=asked), data={"k": "v"}))
        got, answer = await sent(cluster, "PUT", f"{MAPS}/a", body)
        assert got == code, (asked, answer)


async def test_a_delete_that_asks_for_what_there_is_not(cluster: Cluster, admin: Client):
    await made(admin)
    code, answer = await sent(cluster, "DELETE", f"{MAPS}/a", b'{"dryRun":["None"]}')
    assert (code, answer["details"]["causes"][0]["field"]) == (422, "dryRun")
    assert (await sent(cluster, "DELETE", f"{MAPS}/a", b'{"dryRun":["All"]}'))[0] == 200
    assert await admin.get(kinds.CONFIG_MAP, "a", NS)


async def test_a_grace_period_that_no_date_could_follow(cluster: Cluster, admin: Client):
    await admin.create(kinds.POD, pod("p"))
    code, answer = await sent(cluster, "DELETE", kinds.POD.path(NS, "p"), b'{"gracePeriodSeconds":9223372036854775807}')
    assert (code, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 2**31 - 1)


# what a node may write


def pod(name: str, **more: Any) -> Pod:
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i:1"}], **more.pop("spec", {})}
    return codec.from_dict(kinds.POD, {"metadata": {"name": name, "namespace": NS, **more}, "spec": spec})


@pytest.fixture
async def node(cluster: Cluster, admin: Client) -> Node:
    agent = cluster.server.client(N1.common_name, *N1.organizations)
    labels = {"kubernetes.io/hostname": "n1", "example.com/rack": "7", "node.kubernetes.io/x": "y"}
    return await agent.create(kinds.NODE, Node(metadata=ObjectMeta(name="n1", labels=labels)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spec": {"taints": None}}, "not allowed to modify taints"),
        (
            {"metadata": {"annotations": {"network.wherry.local/pod-cidrs": "8.8.8.0/24"}}},
            "not allowed to modify annotation network.wherry.local/pod-cidrs",
        ),
        (
            {"metadata": {"labels": {"node-restriction.kubernetes.io/trusted": "yes"}}},
            "node-restriction.kubernetes.io/trusted",
        ),
        (
            {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
            "node-role.kubernetes.io/control-plane",
        ),
        ({"metadata": {"labels": {"x.k8s.io/a": ""}}}, "x.k8s.io/a"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]}},
            "ownerReferences",
        ),
        ({"metadata": {"labels": {"example.com/rack": "8", "topology.kubernetes.io/zone": "z"}}}, ""),
    ],
)
async def test_a_node_does_not_make_itself_attractive(cluster: Cluster, node: Node, change: dict[str, Any], why: str):
    agent = cluster.server.client(N1.common_name, *N1.organizations)
    for subresource in ("", "status"):
        if not why:
            await agent.patch(kinds.NODE, "n1", change, subresource=subresource)
        elif subresource == "" or "spec" not in change:
            with pytest.raises(Forbidden, match=why):
                await agent.patch(kinds.NODE, "n1", change, subresource=subresource)


async def test_a_node_registers_as_itself(cluster: Cluster):
    agent = cluster.server.client(N1.common_name, *N1.organizations)
    with pytest.raises(Forbidden, match="not allowed to modify node"):
        await agent.create(kinds.NODE, Node(metadata=ObjectMeta(name="n2")))
    with pytest.raises(Forbidden, match="not allowed to set the following labels: node-role.kubernetes.io/x"):
        await agent.create(kinds.NODE, Node(metadata=ObjectMeta(name="n1", labels={"node-role.kubernetes.io/x": ""})))


MIRROR = {"kubernetes.io/config.mirror": "hash"}
SECRET = {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}
CLAIM = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
ENVIRONMENT = {
    "containers": [
        {"name": "c", "image": "i:1", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
    ]
}


@pytest.mark.parametrize(
    ("owner", "spec", "why"),
    [
        ({}, {}, ""),
        ({}, SECRET, "reference secrets"),
        ({}, ENVIRONMENT, "reference secrets"),
        ({}, CLAIM, "reference persistentvolumeclaims"),
        ({}, {"serviceAccountName": "admin"}, "reference service accounts"),
        ({}, {"nodeName": "n2"}, "spec.nodeName set to itself"),
        ({"uid": "other"}, {}, "UID mismatch"),
        ({"name": "n2"}, {}, "owner reference set to itself"),
        ({"controller": False}, {}, "controller owner reference"),
        ({"blockOwnerDeletion": True}, {}, "blockOwnerDeletion"),
        (None, {}, "with an owner reference"),
    ],
)
async def test_a_mirror_pod_opens_no_doors(
    cluster: Cluster, node: Node, owner: dict[str, Any] | None, spec: dict[str, Any], why: str
):
    agent = cluster.server.client(N1.common_name, *N1.organizations)
    known = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node.metadata.uid, "controller": True}
    owners = [] if owner is None else [known | owner]
    wanted = pod("m", annotations=MIRROR, ownerReferences=owners, spec=spec)
    if not why:
        assert (await agent.create(kinds.POD, wanted)).spec.node_name == "n1"
        return
    with pytest.raises(Forbidden, match=why):
        await agent.create(kinds.POD, wanted)


async def test_a_node_does_not_relabel_pods(cluster: Cluster, admin: Client):
    agent = cluster.server.client(N1.common_name, *N1.organizations)
    await admin.create(kinds.POD, pod("p"))
    with pytest.raises(Forbidden, match="cannot update labels through pod status"):
        await agent.patch(kinds.POD, "p", {"metadata": {"labels": {"app": "web"}}}, NS, subresource="status")
    await agent.patch(kinds.POD, "p", {"status": {"phase": "Running"}}, NS, subresource="status")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "٢026-01-01T00:00:00Z",
    ],
)
async def test_no_object_has_a_time_that_is_none(cluster: Cluster, admin: Client, garbage: str):
    await admin.create(kinds.POD, pod("p"))
    change = {"status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": garbage}]}}
    code, answer = await sent(cluster, "PATCH", kinds.POD.path(NS, "p", "status"), json.dumps(change).encode(), MERGE)
    assert (code, "lastTransitionTime: cannot read time" in answer["message"]) == (400, True)


async def test_times_are_kept_in_one_form(cluster: Cluster, admin: Client):
    body = {
        "metadata": {"name": "l"},
        "spec": {"acquireTime": "2026-01-01T01:00:00.5+01:00", "renewTime": "2026-01-01T00:00:00Z"},
    }
    code, answer = await sent(cluster, "POST", kinds.LEASE.path(NS), json.dumps(body).encode())
    expected = {"acquireTime": "2026-01-01T00:00:00.500000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}
    assert (code, answer["spec"]) == (201, expected)


async def test_long_lists_take_no_longer_than_their_length(cluster: Cluster):
    """Each of these took minutes, in which nobody else was served."""
    many = 60_000
    families = {
        "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 80}], "ipFamilies": [f"x{n}" for n in range(many)]},
    }
    spread = [{"maxSkew": 1, "topologyKey": f"k{n}", "whenUnsatisfiable": "DoNotSchedule"} for n in range(20_000)]
    web = {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}], "topologySpreadConstraints": spread},
    }
    for kind, body in ((kinds.SERVICE, families), (kinds.POD, web)):
        code, _ = await sent(cluster, "POST", kind.path(NS), json.dumps(body).encode())
        assert code in (201, 422)
    await sent(cluster, "POST", MAPS, config_map())
    order = [f"example.com/{n}" for n in range(40_000)]
    change = {"metadata": {"finalizers": order, "$setElementOrder/finalizers": order}}
    assert (await sent(cluster, "PATCH", f"{MAPS}/a", json.dumps(change).encode(), STRATEGIC))[0] == 200


@pytest.mark.parametrize("token", ["", "Bearer abcdef.0123456789abcdef"])
async def test_strangers_do_not_take_the_places_of_others(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, token: str
):
    """Where the store is shared, a refusal is looked at again when the cache is fresh, which takes a while."""
    gate = asyncio.Event()

    async def not_yet(cache: Cache) -> None:
        await gate.wait()

    monkeypatch.setattr(SqliteStore, "shared", True)
    monkeypatch.setattr(Cache, "fresh", not_yet)
    door = cluster.server.handler
    headers = [("authorization", token)] if token else []
    asking = [
        asyncio.ensure_future(ask(door, Sent(method, MAPS, headers, b"{}"), None))
        for method in ("GET", "POST")
        for _ in range(500)
    ]
    async with asyncio.timeout(120):
        while sum(one.done() for one in asking) < len(asking) - MOST_DOUBTFUL:
            await asyncio.sleep(0.01)
    waiting = [one for one in asking if not one.done()]
    assert len(waiting) == MOST_DOUBTFUL and not door._load.full
    reader = Peer("system:kube-controller-manager")  # no master, who always gets an answer
    assert (await ask(door, Sent("GET", f"{MAPS}?resourceVersion=0", [], b""), reader))[0] == 200
    gate.set()
    await asyncio.wait(asking)
    assert {one.result()[0] for one in asking} == {401 if token else 403}
    assert cluster.server.core.doubtful == 0 and door._load._doubtful.now == 0


async def test_a_projection_without_a_path(cluster: Cluster):
    sources = [{"podCertificate": {"signerName": "a/b", "keyType": "ED25519", "keyPath": "k"}}]
    spec = {"volumes": [{"name": "v", "projected": {"sources": sources}}], "containers": [{"name": "c", "image": "i"}]}
    code, _ = await sent(
        cluster, "POST", kinds.POD.path(NS), json.dumps({"metadata": {"name": "a"}, "spec": spec}).encode()
    )
    assert code in (201, 422)
