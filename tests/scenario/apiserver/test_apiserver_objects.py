"""What happens to objects: created, changed, patched, deleted, by both doors."""

import asyncio

import msgspec
import pytest

from api import codec, kinds
from api.apps_v1 import Deployment
from api.core_v1 import (
    Binding,
    ConfigMap,
    Container,
    Namespace,
    Node,
    ObjectReference,
    Pod,
    PodSpec,
    Service,
    ServicePort,
    ServiceSpec,
)
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import AlreadyExists, ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound

NS = "default"


def config_map(name: str = "c", **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=NS), data=data)


def pod(name: str = "p", node: str | None = None) -> Pod:
    spec = PodSpec(containers=[Container(name="app", image="app:1")], node_name=node)
    return Pod(metadata=ObjectMeta(name=name, namespace=NS), spec=spec)


def deployment(name: str = "web", replicas: int = 1) -> Deployment:
    return codec.from_dict(
        kinds.DEPLOYMENT,
        {
            "metadata": {"name": name, "namespace": NS},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
                },
            },
        },
    )


def service(name: str, **spec) -> Service:
    ports = spec.pop("ports", [ServicePort(name="http", port=80)])
    return Service(metadata=ObjectMeta(name=name, namespace=NS), spec=ServiceSpec(ports=ports, **spec))


async def test_a_cluster_begins_with_its_namespaces_and_its_service(client: Client):
    names = [namespace.metadata.name for namespace in await client.list(kinds.NAMESPACE)]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    found = await client.get(kinds.SERVICE, "kubernetes", NS)
    assert (found.spec.cluster_ip, found.spec.ports[0].target_port) == ("10.96.0.1", 6443)
    endpoints = await client.get(kinds.ENDPOINTS, "kubernetes", NS)
    assert endpoints.subsets[0].addresses[0].ip == "192.0.2.10"
    (found_slice,) = await client.list(kinds.ENDPOINT_SLICE, NS, labels="kubernetes.io/service-name=kubernetes")
    assert found_slice.endpoints[0].addresses == ["192.0.2.10"]


async def test_what_the_server_adds_on_create(client: Client):
    made = await client.create(kinds.CONFIG_MAP, config_map(a="1"))
    meta = made.metadata
    assert meta.uid and meta.creation_timestamp and int(meta.resource_version) > 0
    assert await client.get(kinds.CONFIG_MAP, "c", NS) == made
    with pytest.raises(AlreadyExists, match='configmaps "c" already exists'):
        await client.create(kinds.CONFIG_MAP, config_map())
    with pytest.raises(NotFound, match='configmaps "nope" not found'):
        await client.get(kinds.CONFIG_MAP, "nope", NS)


async def test_what_a_client_may_not_choose(client: Client):
    wanted = deployment()
    wanted.metadata.uid = "mine"
    wanted.metadata.generation = 9
    wanted.metadata.deletion_timestamp = "2020-01-01T00:00:00Z"
    wanted.metadata.self_link = "/x"
    wanted.status.replicas = 7
    made = await client.create(kinds.DEPLOYMENT, wanted)
    assert made.metadata.uid != "mine"
    assert (made.metadata.generation, made.metadata.deletion_timestamp, made.metadata.self_link) == (1, None, None)
    assert not made.status.replicas


async def test_generated_names(client: Client):
    wanted = pod()
    wanted.metadata.name, wanted.metadata.generate_name = None, "web-"
    names = {(await client.create(kinds.POD, wanted)).metadata.name for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


async def test_a_pod_is_completed(client: Client):
    made = await client.create(kinds.POD, pod())
    assert (made.status.phase, made.status.qos_class) == ("Pending", "BestEffort")
    assert (made.spec.service_account_name, made.spec.priority) == ("default", 0)
    assert [t.key for t in made.spec.tolerations] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert made.spec.termination_grace_period_seconds == 30


async def test_an_update_replaces_the_revision_it_names(client: Client):
    first = await client.create(kinds.CONFIG_MAP, config_map(a="1"))
    first.data = {"a": "2"}
    second = await client.update(kinds.CONFIG_MAP, first)
    assert int(second.metadata.resource_version) > int(first.metadata.resource_version)
    assert second.metadata.uid == first.metadata.uid
    with pytest.raises(Conflict, match="the object has been modified; please apply your changes to the latest version"):
        await client.update(kinds.CONFIG_MAP, first)
    first.metadata.resource_version = None
    assert (await client.update(kinds.CONFIG_MAP, first)).data == {"a": "2"}


async def test_an_update_that_changes_nothing_writes_nothing(client: Client):
    made = await client.create(kinds.DEPLOYMENT, deployment())
    again = await client.update(kinds.DEPLOYMENT, made)
    assert again.metadata.resource_version == made.metadata.resource_version


async def test_an_update_that_means_another_object(client: Client):
    made = await client.create(kinds.CONFIG_MAP, config_map())
    made.metadata.uid = "other"
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition: other"):
        await client.update(kinds.CONFIG_MAP, made)
    with pytest.raises(NotFound):
        await client.update(kinds.CONFIG_MAP, config_map("nope"))


async def test_the_generation_counts_changes_of_the_spec(client: Client):
    made = await client.create(kinds.DEPLOYMENT, deployment())
    made.metadata.labels = {"x": "y"}
    made = await client.update(kinds.DEPLOYMENT, made)
    assert made.metadata.generation == 1
    made.spec.replicas = 5
    made = await client.update(kinds.DEPLOYMENT, made)
    assert made.metadata.generation == 2
    made.metadata.annotations = {"x": "y"}
    made = await client.update(kinds.DEPLOYMENT, made)
    assert made.metadata.generation == 3


async def test_spec_and_status_are_written_apart(client: Client):
    made = await client.create(kinds.DEPLOYMENT, deployment())
    made.status.replicas, made.spec.replicas = 3, 9
    after = await client.update(kinds.DEPLOYMENT, made, subresource="status")
    assert (after.status.replicas, after.spec.replicas, after.metadata.generation) == (3, 1, 1)
    after.status.replicas, after.spec.replicas = 0, 9
    last = await client.update(kinds.DEPLOYMENT, after)
    assert (last.status.replicas, last.spec.replicas) == (3, 9)


@pytest.mark.parametrize("type_", ["strategic", "merge"])
async def test_merging_patches(client: Client, type_):
    await client.create(kinds.DEPLOYMENT, deployment())
    changed = {"metadata": {"labels": {"x": "y"}}, "spec": {"replicas": 4}}
    after = await client.patch(kinds.DEPLOYMENT, "web", changed, NS, type=type_)
    assert (after.metadata.labels, after.spec.replicas, after.metadata.generation) == ({"x": "y"}, 4, 2)


async def test_strategic_patches_merge_lists_by_key(client: Client):
    await client.create(kinds.DEPLOYMENT, deployment())
    containers = [{"name": "side", "image": "side:1"}]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    after = await client.patch(kinds.DEPLOYMENT, "web", change, NS)
    assert sorted(c.name for c in after.spec.template.spec.containers) == ["app", "side"]
    after = await client.patch(kinds.DEPLOYMENT, "web", change, NS, type="merge")
    assert [c.name for c in after.spec.template.spec.containers] == ["side"]


async def test_json_patches(client: Client):
    await client.create(kinds.CONFIG_MAP, config_map(a="1"))
    change = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b", "value": "2"}]
    assert (await client.patch(kinds.CONFIG_MAP, "c", change, NS, type="json")).data == {"a": "1", "b": "2"}
    with pytest.raises(Invalid):
        await client.patch(kinds.CONFIG_MAP, "c", [{"op": "test", "path": "/data/a", "value": "9"}], NS, type="json")
    with pytest.raises(Invalid):
        await client.patch(kinds.CONFIG_MAP, "c", [{"op": "nonsense"}], NS, type="json")
    with pytest.raises(BadRequest):
        await client.patch(kinds.CONFIG_MAP, "c", [{"op": "add"}], NS, type="json")


async def test_patches_of_many_writers_all_count(client: Client):
    await client.create(kinds.CONFIG_MAP, config_map())
    changes = ({"data": {f"k{number}": "v"}} for number in range(5))
    await asyncio.gather(*(client.patch(kinds.CONFIG_MAP, "c", change, NS, type="merge") for change in changes))
    assert len((await client.get(kinds.CONFIG_MAP, "c", NS)).data) == 5


async def test_a_patch_that_names_a_revision_must_meet_it(client: Client):
    made = await client.create(kinds.CONFIG_MAP, config_map())
    change = {"metadata": {"resourceVersion": made.metadata.resource_version}, "data": {"a": "1"}}
    await client.patch(kinds.CONFIG_MAP, "c", change, NS, type="merge")
    with pytest.raises(Conflict):
        await client.patch(kinds.CONFIG_MAP, "c", change, NS, type="merge")


async def test_rules_hold_for_patches_too(client: Client):
    await client.create(kinds.DEPLOYMENT, deployment())
    with pytest.raises(Invalid, match=r'Deployment.apps "web" is invalid: spec.replicas'):
        await client.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": -1}}, NS)
    with pytest.raises(BadRequest, match="does not match the name on the URL"):
        await client.patch(kinds.DEPLOYMENT, "web", {"metadata": {"name": "other"}}, NS)


async def test_scale(client: Client):
    await client.create(kinds.DEPLOYMENT, deployment())
    path = kinds.DEPLOYMENT.path(NS, "web", "scale")
    scale = msgspec.json.decode(await client.transport.request("GET", path, {}))
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    scale["spec"]["replicas"] = 3
    await client.transport.request("PUT", path, {}, msgspec.json.encode(scale))
    found = await client.get(kinds.DEPLOYMENT, "web", NS)
    assert (found.spec.replicas, found.metadata.generation) == (3, 2)
    await client.transport.request("PATCH", path, {}, b'{"spec":{"replicas":0}}', "application/merge-patch+json")
    assert (await client.get(kinds.DEPLOYMENT, "web", NS)).spec.replicas == 0
    with pytest.raises(Invalid):
        await client.transport.request("PATCH", path, {}, b'{"spec":{"replicas":-1}}', "application/merge-patch+json")


async def bind(client: Client, name: str, node: str) -> None:
    binding = Binding(metadata=ObjectMeta(name=name, namespace=NS), target=ObjectReference(kind="Node", name=node))
    await client.transport.request("POST", kinds.POD.path(NS, name, "binding"), {}, codec.encode(binding))


async def test_a_pod_is_bound_once(client: Client):
    await client.create(kinds.POD, pod())
    await bind(client, "p", "n1")
    found = await client.get(kinds.POD, "p", NS)
    assert found.spec.node_name == "n1"
    assert [(c.type, c.status) for c in found.status.conditions] == [("PodScheduled", "True")]
    with pytest.raises(Conflict, match='pod p is already assigned to node "n1"'):
        await bind(client, "p", "n2")
    assert [p.metadata.name for p in await client.list(kinds.POD, fields="spec.nodeName=n1")] == ["p"]


async def test_a_running_pod_is_deleted_with_grace(client: Client):
    await client.create(kinds.POD, pod(node="n1"))
    await client.delete(kinds.POD, "p", NS)
    found = await client.get(kinds.POD, "p", NS)
    assert (found.metadata.deletion_grace_period_seconds, found.metadata.generation) == (30, 2)
    await client.delete(kinds.POD, "p", NS, grace=0)
    with pytest.raises(NotFound):
        await client.get(kinds.POD, "p", NS)


async def test_a_finalizer_holds_an_object(client: Client):
    held = config_map()
    held.metadata.finalizers = ["example.com/hold"]
    await client.create(kinds.CONFIG_MAP, held)
    await client.delete(kinds.CONFIG_MAP, "c", NS)
    found = await client.get(kinds.CONFIG_MAP, "c", NS)
    assert found.metadata.deletion_timestamp
    found.metadata.finalizers.append("example.com/more")
    with pytest.raises(Invalid, match="no new finalizers can be added if the object is being deleted"):
        await client.update(kinds.CONFIG_MAP, found)
    await client.patch(kinds.CONFIG_MAP, "c", {"metadata": {"finalizers": None}}, NS, type="merge")
    with pytest.raises(NotFound):
        await client.get(kinds.CONFIG_MAP, "c", NS)


async def test_a_delete_may_state_what_it_means_to_delete(client: Client):
    await client.create(kinds.CONFIG_MAP, config_map())
    path, body = kinds.CONFIG_MAP.path(NS, "c"), b'{"preconditions":{"uid":"other"}}'
    with pytest.raises(Conflict, match="UID in precondition: other"):
        await client.transport.request("DELETE", path, {}, body)
    answer = msgspec.json.decode(await client.transport.request("DELETE", path, {"propagationPolicy": "Background"}))
    assert (answer["status"], answer["details"]["kind"], answer["details"]["name"]) == ("Success", "configmaps", "c")
    with pytest.raises(Invalid, match="propagationPolicy"):
        await client.transport.request("DELETE", path, {"propagationPolicy": "Nonsense"})


async def test_a_collection_is_deleted_by_selection(client: Client):
    for number in range(6):
        labelled = config_map(f"c{number}")
        labelled.metadata.labels = {"odd": str(number % 2)}
        await client.create(kinds.CONFIG_MAP, labelled)
    answer = await client.transport.request("DELETE", kinds.CONFIG_MAP.path(NS), {"labelSelector": "odd=1"})
    assert len(msgspec.json.decode(answer)["items"]) == 3
    assert [c.metadata.name for c in await client.list(kinds.CONFIG_MAP, NS)] == ["c0", "c2", "c4"]


async def test_a_namespace_ends_through_finalize(client: Client):
    await client.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="n")))
    await client.delete(kinds.NAMESPACE, "n")
    found = await client.get(kinds.NAMESPACE, "n")
    assert (found.status.phase, found.spec.finalizers) == ("Terminating", ["kubernetes"])
    with pytest.raises(Forbidden, match="unable to create new content in namespace n because it is being terminated"):
        await client.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="c", namespace="n")))
    found.spec.finalizers = []
    await client.update(kinds.NAMESPACE, found, subresource="finalize")
    with pytest.raises(NotFound):
        await client.get(kinds.NAMESPACE, "n")
    with pytest.raises(NotFound, match='namespaces "n" not found'):
        await client.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="c", namespace="n")))
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        await client.delete(kinds.NAMESPACE, "kube-system")


async def test_services_get_numbers_of_their_own(client: Client):
    several = [service(f"s{number}", type="NodePort") for number in range(8)]
    made = await asyncio.gather(*(client.create(kinds.SERVICE, one) for one in several))
    assert len({one.spec.cluster_ip for one in made}) == 8
    assert len({one.spec.ports[0].node_port for one in made}) == 8
    taken = made[0].spec
    with pytest.raises(Invalid, match="failed to allocate IP .*: provided IP is already allocated"):
        await client.create(kinds.SERVICE, service("x", cluster_ip=taken.cluster_ip))
    with pytest.raises(Invalid, match="provided port is already allocated"):
        port = ServicePort(port=80, node_port=taken.ports[0].node_port)
        await client.create(kinds.SERVICE, service("x", type="NodePort", ports=[port]))
    await client.delete(kinds.SERVICE, "s0", NS)
    again = await client.create(kinds.SERVICE, service("x", cluster_ip=taken.cluster_ip))
    assert again.spec.cluster_ips == [taken.cluster_ip]


async def test_a_failed_service_gives_its_numbers_back(client: Client):
    bad = service("Bad_Name", cluster_ip="10.96.7.7", type="NodePort", ports=[ServicePort(port=80, node_port=30777)])
    with pytest.raises(Invalid):
        await client.create(kinds.SERVICE, bad)
    bad.metadata.name = "good"
    await client.create(kinds.SERVICE, bad)


async def test_a_service_keeps_its_numbers_through_changes(client: Client):
    made = await client.create(kinds.SERVICE, service("s", type="NodePort"))
    bare = service("s", type="NodePort", selector={"app": "x"})
    after = await client.update(kinds.SERVICE, bare)
    assert after.spec.cluster_ip == made.spec.cluster_ip
    assert after.spec.ports[0].node_port == made.spec.ports[0].node_port
    after.spec.type = "ClusterIP"
    after = await client.update(kinds.SERVICE, after)
    assert after.spec.ports[0].node_port is None
    other = ServicePort(port=80, node_port=made.spec.ports[0].node_port)
    await client.create(kinds.SERVICE, service("other", type="NodePort", ports=[other]))


async def test_headless_and_external_services_have_no_address(client: Client):
    headless = await client.create(kinds.SERVICE, service("h", cluster_ip="None", selector={"a": "b"}))
    assert headless.spec.cluster_ips == ["None"]
    external = await client.create(kinds.SERVICE, service("e", type="ExternalName", external_name="example.com"))
    assert (external.spec.cluster_ip, external.spec.cluster_ips) == (None, [])


async def test_one_node_port_for_both_protocols_of_a_port(client: Client):
    ports = [ServicePort(name="udp", port=53, protocol="UDP"), ServicePort(name="tcp", port=53, protocol="TCP")]
    made = await client.create(kinds.SERVICE, service("dns", type="NodePort", ports=ports))
    assert made.spec.ports[0].node_port == made.spec.ports[1].node_port


async def test_dry_runs_leave_no_trace(client: Client):
    path = kinds.CONFIG_MAP.path(NS)
    answer = await client.transport.request("POST", path, {"dryRun": "All"}, codec.encode(config_map(a="1")))
    assert msgspec.json.decode(answer)["metadata"]["uid"]
    with pytest.raises(NotFound):
        await client.get(kinds.CONFIG_MAP, "c", NS)
    await client.create(kinds.CONFIG_MAP, config_map(a="1"))
    with pytest.raises(AlreadyExists):
        await client.transport.request("POST", path, {"dryRun": "All"}, codec.encode(config_map()))
    await client.transport.request("DELETE", f"{path}/c", {"dryRun": "All"})
    assert (await client.get(kinds.CONFIG_MAP, "c", NS)).data == {"a": "1"}
    with pytest.raises(Invalid):
        await client.transport.request("POST", path, {"dryRun": "Some"}, codec.encode(config_map()))


async def test_strict_validation_names_unknown_and_duplicate_fields(client: Client):
    body = b'{"metadata":{"name":"c","nope":1},"data":{"a":"1","a":"2"}}'
    with pytest.raises(
        BadRequest, match='strict decoding error: unknown field "metadata.nope", duplicate field "data.a"'
    ):
        await client.transport.request("POST", kinds.CONFIG_MAP.path(NS), {"fieldValidation": "Strict"}, body)
    await client.transport.request("POST", kinds.CONFIG_MAP.path(NS), {"fieldValidation": "Ignore"}, body)
    assert (await client.get(kinds.CONFIG_MAP, "c", NS)).data == {"a": "2"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        (b'{"kind":"Secret","metadata":{"name":"c"}}', "cannot be handled as a ConfigMap"),
        (b'{"apiVersion":"v2","metadata":{"name":"c"}}', r"the API version in the data \(v2\) does not match"),
        (b'{"metadata":{"name":"c","namespace":"other"}}', "does not match the namespace sent on the request"),
        (
            b'{"metadata":{"name":"c","resourceVersion":"5"}}',
            "resourceVersion should not be set on objects to be created",
        ),
        (b'{"data":{"a":1}}', "cannot be handled as a ConfigMap"),
    ],
)
async def test_bodies_that_make_no_sense(client: Client, body, message):
    with pytest.raises(BadRequest, match=message):
        await client.transport.request("POST", kinds.CONFIG_MAP.path(NS), {}, body)


async def test_bodies_in_yaml_and_in_unknown_forms(client: Client):
    yaml = b"kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: c\ndata: {a: 'yes'}\n"
    await client.transport.request("POST", kinds.CONFIG_MAP.path(NS), {}, yaml, "application/yaml")
    assert (await client.get(kinds.CONFIG_MAP, "c", NS)).data == {"a": "yes"}
    with pytest.raises(ApiError, match="unknown format") as caught:
        await client.transport.request("POST", kinds.CONFIG_MAP.path(NS), {}, b"<x/>", "application/xml")
    assert caught.value.code == 415


async def test_a_put_creates_where_the_kind_allows_it(client: Client):
    body = b'{"metadata":{"name":"l","namespace":"default"},"spec":{"holderIdentity":"me"}}'
    path = kinds.LEASE.path(NS, "l")
    await client.transport.request("PUT", path, {}, body)
    assert (await client.get(kinds.LEASE, "l", NS)).spec.holder_identity == "me"
    with pytest.raises(Invalid, match=r"metadata.resourceVersion: Invalid value: 0: must be specified for an update"):
        await client.transport.request("PUT", path, {}, body)


async def test_a_node_keeps_the_status_it_registers_with(client: Client):
    node = Node(metadata=ObjectMeta(name="n1"))
    node.status.capacity = {"cpu": "2"}
    made = await client.create(kinds.NODE, node)
    assert made.status.capacity == {"cpu": "2"}
    made.status.capacity = {"cpu": "4"}
    assert (await client.update(kinds.NODE, made)).status.capacity == {"cpu": "2"}


async def test_a_new_node_takes_no_pods_until_somebody_saw_it_ready(client: Client):
    await client.create(kinds.NODE, Node(metadata=ObjectMeta(name="fresh")))
    fresh = await client.get(kinds.NODE, "fresh")
    assert [(t.key, t.effect) for t in fresh.spec.taints] == [("node.kubernetes.io/not-ready", "NoSchedule")]
    fresh.spec.taints = []
    assert (await client.update(kinds.NODE, fresh)).spec.taints == []


async def test_json_that_is_passed_through_comes_on_one_line(client: Client):
    body = b'{"metadata":{"name":"a"},"revision":1,"data":{\n "a" : [ 1,\r\n 1e40 ], "b": "x y"}}'
    made = await client.transport.request("POST", kinds.CONTROLLER_REVISION.path("default"), {}, body)
    assert b"\n" not in made and b"\r" not in made
    assert b'"data":{"a":[1,1e40],"b":"x y"}' in made
