"""Tables as kubectl shows them."""

from typing import Any

import msgspec
import pytest

from api import kinds, times
from controlplane.apiserver import tables
from controlplane.apiserver.tables.ages import age, human

NOW = times.parse_time("2026-01-02T00:00:00Z")
META = {"name": "x", "creationTimestamp": "2026-01-01T23:55:00Z"}

# What upstream shows: the name of each column, * with -o wide only.
COLUMNS = {
    kinds.POD: "Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*",
    kinds.DEPLOYMENT: "Name Ready Up-to-date Available Age Containers* Images* Selector*",
    kinds.REPLICA_SET: "Name Desired Current Ready Age Containers* Images* Selector*",
    kinds.SERVICE: "Name Type Cluster-IP External-IP Port(s) Age Selector*",
    kinds.ENDPOINTS: "Name Endpoints Age",
    kinds.ENDPOINT_SLICE: "Name AddressType Ports Endpoints Age",
    kinds.NODE: "Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* Container-Runtime*",
    kinds.NAMESPACE: "Name Status Age",
    kinds.LEASE: "Name Holder Age",
    kinds.EVENT: "Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name*",
    kinds.CONFIG_MAP: "Name Data Age",
    kinds.SECRET: "Name Type Data Age",
    kinds.SERVICE_ACCOUNT: "Name Age",
    kinds.LIMIT_RANGE: "Name Created_At",
    kinds.RESOURCE_QUOTA: "Name Request Limit Age",
    kinds.PERSISTENT_VOLUME: "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass Reason Age "
    "VolumeMode*",
    kinds.PERSISTENT_VOLUME_CLAIM: "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age VolumeMode*",
    kinds.POD_TEMPLATE: "Name Containers Images Pod_Labels",
    kinds.REPLICATION_CONTROLLER: "Name Desired Current Ready Age Containers* Images* Selector*",
    kinds.CONTROLLER_REVISION: "Name Controller Revision Age",
    kinds.DAEMON_SET: "Name Desired Current Ready Up-to-date Available Node_Selector Age Containers* Images* Selector*",
    kinds.STATEFUL_SET: "Name Ready Age Containers* Images*",
    kinds.CRON_JOB: "Name Schedule Timezone Suspend Active Last_Schedule Age Containers* Images* Selector*",
    kinds.JOB: "Name Status Completions Duration Age Containers* Images* Selector*",
    kinds.INGRESS: "Name Class Hosts Address Ports Age",
    kinds.INGRESS_CLASS: "Name Controller Parameters Age",
    kinds.NETWORK_POLICY: "Name Pod-Selector Age",
    kinds.IP_ADDRESS: "Name ParentRef",
    kinds.SERVICE_CIDR: "Name CIDRs Age",
    kinds.POD_DISRUPTION_BUDGET: "Name Min_Available Max_Unavailable Allowed_Disruptions Age",
    kinds.ROLE: "Name Created_At",
    kinds.CLUSTER_ROLE: "Name Created_At",
    kinds.ROLE_BINDING: "Name Role Age Users* Groups* ServiceAccounts*",
    kinds.CLUSTER_ROLE_BINDING: "Name Role Age Users* Groups* ServiceAccounts*",
    kinds.STORAGE_CLASS: "Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age",
    kinds.VOLUME_ATTACHMENT: "Name Attacher PV Node Attached Age",
    kinds.VOLUME_ATTRIBUTES_CLASS: "Name DriverName Age",
    kinds.CSI_DRIVER: "Name AttachRequired PodInfoOnMount StorageCapacity TokenRequests RequiresRepublish Modes Age",
    kinds.CSI_NODE: "Name Drivers Age",
    kinds.CSI_STORAGE_CAPACITY: "Name Created_At",
    kinds.PRIORITY_CLASS: "Name Value Global-Default Age PreemptionPolicy",
    kinds.RUNTIME_CLASS: "Name Handler Age",
    kinds.HORIZONTAL_POD_AUTOSCALER: "Name Reference Targets MinPods MaxPods Replicas Age",
    kinds.CERTIFICATE_SIGNING_REQUEST: "Name Age SignerName Requestor RequestedDuration Condition",
    kinds.CLUSTER_TRUST_BUNDLE: "Name SignerName",
    kinds.MUTATING_ADMISSION_POLICY: "Name Mutations ParamKind Age",
    kinds.MUTATING_ADMISSION_POLICY_BINDING: "Name PolicyName ParamRef Age",
    kinds.MUTATING_WEBHOOK_CONFIGURATION: "Name Webhooks Age",
    kinds.VALIDATING_ADMISSION_POLICY: "Name Validations ParamKind Age",
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: "Name PolicyName ParamRef Age",
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: "Name Webhooks Age",
    kinds.CUSTOM_RESOURCE_DEFINITION: "Name Created_At",
    kinds.API_SERVICE: "Name Service Available Age",
    kinds.FLOW_SCHEMA: "Name PriorityLevel MatchingPrecedence DistinguisherMethod Age MissingPL",
    kinds.PRIORITY_LEVEL_CONFIGURATION: "Name Type NominalConcurrencyShares Queues HandSize QueueLengthLimit Age",
    kinds.DEVICE_CLASS: "Name Age",
    kinds.RESOURCE_CLAIM: "Name State Age",
    kinds.RESOURCE_CLAIM_TEMPLATE: "Name Age",
    kinds.RESOURCE_SLICE: "Name Node Driver Pool Age",
}


def table(kind: kinds.Kind[Any], *objects: dict[str, Any], include: str = "Metadata") -> dict[str, Any]:
    data = [msgspec.json.encode(obj) for obj in objects]
    rendered = tables.render(kind, data, NOW, {"resourceVersion": "7", "continue": ""}, include)
    got: dict[str, Any] = msgspec.json.decode(rendered)
    return got


def cells(kind: kinds.Kind[Any], **fields: Any) -> list[Any]:
    row: list[Any] = table(kind, {"metadata": META, **fields})["rows"][0]["cells"]
    return row


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_columns(kind: kinds.Kind[Any]) -> None:
    got = table(kind, {"metadata": META})
    shown = [
        column["name"].replace(" ", "_") + ("*" if column["priority"] else "") for column in got["columnDefinitions"]
    ]
    assert " ".join(shown) == COLUMNS[kind]
    assert len(got["rows"][0]["cells"]) == len(shown)


def test_the_envelope() -> None:
    got = table(kinds.POD, {"metadata": META})
    assert (got["kind"], got["apiVersion"], got["metadata"]) == ("Table", "meta.k8s.io/v1", {"resourceVersion": "7"})
    assert table(kinds.POD)["rows"] == []


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("Metadata", {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": META}),
        ("Object", {"metadata": META, "data": {"a": "b"}}),
        ("None", None),
    ],
)
def test_what_a_row_has_of_its_object(include: str, expected: Any) -> None:
    row = table(kinds.CONFIG_MAP, {"metadata": META, "data": {"a": "b"}}, include=include)["rows"][0]
    assert row.get("object") == expected


def status(name: str = "c", **fields: Any) -> dict[str, Any]:
    state = {key: fields.pop(key) for key in ("waiting", "running", "terminated") if key in fields}
    return {"name": name, "state": state, **fields}


RUNNING = status(ready=True, running={})
READY = {"type": "Ready", "status": "True"}


def pod(phase: str, *statuses: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = more.pop("spec", {"containers": [{"name": "c"}]})
    metadata = {**META, **more.pop("metadata", {})}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "containerStatuses": statuses, **more}}


def init(*statuses: dict[str, Any], sidecars: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    names = [item["name"] for item in statuses]
    containers = [{"name": name, **({"restartPolicy": "Always"} if name in sidecars else {})} for name in names]
    spec = {"initContainers": containers, "containers": [{"name": "c"}]}
    return pod("Pending", *more.pop("ordinary", ()), spec=spec, initContainerStatuses=statuses, **more)


DONE = {"exitCode": 0, "reason": "Completed"}
PODS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "pending": (pod("Pending"), ["0/1", "Pending", "0"]),
    "creating": (
        pod("Pending", status(waiting={"reason": "ContainerCreating"})),
        ["0/1", "ContainerCreating", "0"],
    ),
    "running": (pod("Running", RUNNING), ["1/1", "Running", "0"]),
    "not ready": (pod("Running", status(ready=False, running={})), ["0/1", "Running", "0"]),
    "gated": (
        pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
        ["0/1", "SchedulingGated", "0"],
    ),
    "crashing": (
        pod(
            "Running",
            status(
                restartCount=3,
                waiting={"reason": "CrashLoopBackOff"},
                lastState={"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T23:58:00Z"}},
            ),
        ),
        ["0/1", "CrashLoopBackOff", "3 (2m ago)"],
    ),
    "done": (pod("Succeeded", status(terminated=DONE)), ["0/1", "Completed", "0"]),
    "failed without reason": (pod("Failed", status(terminated={"exitCode": 3})), ["0/1", "ExitCode:3", "0"]),
    "killed by a signal": (pod("Failed", status(terminated={"exitCode": 137, "signal": 9})), ["0/1", "Signal:9", "0"]),
    "evicted": (pod("Failed", reason="Evicted"), ["0/1", "Evicted", "0"]),
    "one done, one runs, ready": (
        pod("Running", status("d", terminated=DONE), RUNNING, conditions=[READY]),
        ["1/1", "Running", "0"],
    ),
    "one done, one runs, not ready": (
        pod("Running", status("d", terminated=DONE), RUNNING),
        ["1/1", "NotReady", "0"],
    ),
    "ready as a later condition has it": (
        pod("Running", status("d", terminated=DONE), RUNNING, conditions=[{"type": "Ready", "status": "False"}, READY]),
        ["1/1", "Running", "0"],
    ),
    "evicted while it ran": (
        pod("Failed", status(terminated={"exitCode": 137, "reason": "Error"}), reason="Evicted"),
        ["0/1", "Error", "0"],
    ),
    "of an unknown node": (pod("Unknown"), ["0/1", "Unknown", "0"]),
    "restarted long ago": (
        pod(
            "Running",
            status(
                ready=True,
                running={},
                restartCount=12,
                lastState={"terminated": {"exitCode": 1, "finishedAt": "2025-12-29T17:00:00Z"}},
            ),
        ),
        ["1/1", "Running", "12 (3d7h ago)"],
    ),
    "restarted, nobody knows when": (
        pod("Running", status(ready=True, running={}, restartCount=2)),
        ["1/1", "Running", "2"],
    ),
    "two that were restarted": (
        pod(
            "Running",
            status(
                "d", restartCount=1, lastState={"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T23:50:00Z"}}
            ),
            status(restartCount=2, lastState={"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T23:59:00Z"}}),
            spec={"containers": [{"name": "d"}, {"name": "c"}]},
        ),
        ["0/2", "Running", "3 (60s ago)"],
    ),
    "one done, one failed": (
        pod("Failed", status("d", terminated=DONE), status(terminated={"exitCode": 1, "reason": "Error"})),
        ["0/1", "Error", "0"],
    ),
    "being deleted": (
        pod("Running", RUNNING, metadata={"deletionTimestamp": "2026-01-01T23:59:59Z"}),
        ["1/1", "Terminating", "0"],
    ),
    "done and being deleted": (
        pod("Succeeded", status(terminated=DONE), metadata={"deletionTimestamp": "2026-01-01T23:59:59Z"}),
        ["0/1", "Completed", "0"],
    ),
    "its node is lost": (
        pod("Running", RUNNING, reason="NodeLost", metadata={"deletionTimestamp": "2026-01-01T23:59:59Z"}),
        ["1/1", "Unknown", "0"],
    ),
    "initializing": (
        init(status("a", terminated=DONE), status("b", running={})),
        ["0/1", "Init:1/2", "0"],
    ),
    "initializing, waiting": (
        init(status("a", waiting={"reason": "ErrImagePull"})),
        ["0/1", "Init:ErrImagePull", "0"],
    ),
    "initializing, in line": (
        init(status("a", waiting={"reason": "PodInitializing"})),
        ["0/1", "Init:0/1", "0"],
    ),
    "initializing failed": (
        init(status("a", restartCount=1, terminated={"exitCode": 2})),
        ["0/1", "Init:ExitCode:2", "1"],
    ),
    "initialized, restarts of init containers do not count": (
        init(status("a", restartCount=4, terminated=DONE), ordinary=(RUNNING,)),
        ["1/1", "Pending", "0"],
    ),
    "a sidecar that crashes while the rest runs": (
        init(
            status("a", restartCount=2, started=False, waiting={"reason": "CrashLoopBackOff"}),
            sidecars=("a",),
            ordinary=(RUNNING,),
            conditions=[{"type": "Initialized", "status": "True"}],
        ),
        ["1/2", "Init:CrashLoopBackOff", "2"],
    ),
    "rejected before it was initialized": (
        {**init(status("a", waiting={})), "status": {"phase": "Failed", "reason": "OutOfcpu"}},
        ["0/1", "OutOfcpu", "0"],
    ),
    "with a sidecar": (
        init(
            status("a", restartCount=2, started=True, ready=True, running={}),
            sidecars=("a",),
            ordinary=(RUNNING,),
        ),
        ["2/2", "Pending", "2"],
    ),
}


@pytest.mark.parametrize(("obj", "expected"), PODS.values(), ids=PODS.keys())
def test_pods(obj: dict[str, Any], expected: list[str]) -> None:
    row = table(kinds.POD, obj)["rows"][0]["cells"]
    assert row[1:4] == expected
    assert row[4] == "5m"


def test_pods_wide() -> None:
    obj = pod("Running", RUNNING, podIPs=[{"ip": "10.244.0.5"}], conditions=[READY])
    obj["spec"] = {"nodeName": "n1", "containers": [{"name": "c"}], "readinessGates": [{"conditionType": "Ready"}]}
    assert table(kinds.POD, obj)["rows"][0]["cells"][5:] == ["10.244.0.5", "n1", "<none>", "1/1"]


def test_pods_that_are_over_are_marked() -> None:
    row = table(kinds.POD, pod("Succeeded"))["rows"][0]
    assert [condition["type"] for condition in row["conditions"]] == ["Completed"]
    assert "conditions" not in table(kinds.POD, pod("Running"))["rows"][0]


@pytest.mark.parametrize(
    ("spec", "load_balancer", "expected"),
    [
        (
            {"type": "ClusterIP", "clusterIPs": ["10.96.0.1"], "ports": [{"port": 443, "protocol": "TCP"}]},
            None,
            ["ClusterIP", "10.96.0.1", "<none>", "443/TCP", "5m", "<none>"],
        ),
        (
            {
                "type": "NodePort",
                "clusterIPs": ["10.96.0.2"],
                "externalIPs": ["1.2.3.4"],
                "selector": {"b": "2", "a": "1"},
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
            },
            None,
            ["NodePort", "10.96.0.2", "1.2.3.4", "80:30080/TCP,53/UDP", "5m", "a=1,b=2"],
        ),
        ({"type": "LoadBalancer"}, None, ["LoadBalancer", "<none>", "<pending>", "<none>", "5m", "<none>"]),
        (
            {"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]},
            {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a.b"}]},
            ["LoadBalancer", "<none>", "2.2.2.2,a.b,9.9.9.9", "<none>", "5m", "<none>"],
        ),
        (
            {"type": "ExternalName", "externalName": "a.b"},
            None,
            ["ExternalName", "<none>", "a.b", "<none>", "5m", "<none>"],
        ),
    ],
)
def test_services(spec: dict[str, Any], load_balancer: Any, expected: list[str]) -> None:
    assert cells(kinds.SERVICE, spec=spec, status={"loadBalancer": load_balancer})[1:] == expected


def test_workloads() -> None:
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:2"}]}},
    }
    counts = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    wide = ["c,d", "i:1,j:2", "a=b"]
    assert cells(kinds.DEPLOYMENT, spec=spec, status=counts)[1:] == ["2/3", 1, 2, "5m", *wide]
    assert cells(kinds.REPLICA_SET, spec=spec, status=counts)[1:] == [3, 3, 2, "5m", *wide]


def test_nodes() -> None:
    meta = {**META, "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "big"}}
    info = {"kubeletVersion": "v1.36.0", "kernelVersion": "6.1", "architecture": "amd64"}
    node = {
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": info,
        },
    }
    assert cells(kinds.NODE, **{**node, "metadata": meta})[1:] == [
        "Ready,SchedulingDisabled",
        "big,control-plane",
        "5m",
        "v1.36.0",
        "10.0.0.1",
        "<none>",
        "<unknown>",
        "6.1 (amd64)",
        "<unknown>",
    ]
    assert cells(kinds.NODE)[1:3] == ["Unknown", "<none>"]
    assert cells(kinds.NODE, status={"conditions": [{"type": "Ready", "status": "Unknown"}]})[1] == "NotReady"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], "*"),
        ([""], "*"),
        (["a", "b"], "a,b"),
        (["a", "b", "c"], "a,b,c"),
        (["a", "", "b", "c"], "a,b,c"),
        (["a", "b", "c", ""], "a,b,c + 1 more..."),
        (["a", "b", "c", "d", "e"], "a,b,c + 2 more..."),
    ],
)
def test_ingresses(hosts: list[str], expected: str) -> None:
    ingress = [{"ip": "10.0.0.2"}, {"hostname": "a.b"}, {"ip": "10.0.0.1", "hostname": "c.d"}, {"ip": "10.0.0.2"}]
    got = cells(
        kinds.INGRESS,
        spec={"rules": [{"host": host} for host in hosts], "tls": [{}]},
        status={"loadBalancer": {"ingress": ingress}},
    )
    assert got == ["x", "<none>", expected, "10.0.0.1,10.0.0.2,a.b", "80, 443", "5m"]


@pytest.mark.parametrize(
    ("true", "expected"),
    [
        ([], "Running"),
        (["SuccessCriteriaMet"], "SuccessCriteriaMet"),
        (["SuccessCriteriaMet", "Complete"], "Complete"),
        (["FailureTarget"], "FailureTarget"),
        (["FailureTarget", "Failed"], "Failed"),
        (["Suspended"], "Suspended"),
    ],
)
def test_jobs(true: list[str], expected: str) -> None:
    conditions = [{"type": word, "status": "True"} for word in true] + [{"type": "Other", "status": "True"}]
    times_ = {"startTime": "2026-01-01T21:00:00Z", "completionTime": "2026-01-01T23:30:00Z"}
    got = cells(kinds.JOB, spec={"parallelism": 3}, status={"conditions": conditions, "succeeded": 1, **times_})
    assert got[1:5] == [expected, "1/1 of 3", "150m", "5m"]
    going = {"metadata": {**META, "deletionTimestamp": META["creationTimestamp"]}}
    word = table(kinds.JOB, {**going, "status": {"conditions": conditions}})["rows"][0]["cells"][1]
    assert word == (expected if expected in ("Complete", "Failed") else "Terminating")


def test_autoscalers() -> None:
    def shown(*pairs: tuple[dict[str, Any], dict[str, Any]], source: str = "resource", type_: str = "Resource") -> Any:
        base = {"name": "cpu"} if "esource" in source else {}
        metrics = [{"type": type_, source: {**base, "target": target}} for target, _ in pairs]
        current = [{"type": type_, source: {**base, "current": now}} for _, now in pairs if now]
        return cells(kinds.HORIZONTAL_POD_AUTOSCALER, spec={"metrics": metrics}, status={"currentMetrics": current})[2]

    half = ({"averageUtilization": 80}, {"averageUtilization": 55})
    assert shown() == "<none>"
    assert shown(half) == "cpu: 55%/80%"
    assert shown(({"averageUtilization": 80}, {})) == "cpu: <unknown>/80%"
    assert shown(({}, {"averageUtilization": 5})) == "cpu: 5%/<auto>"
    assert shown(({"averageValue": "2"}, {"averageValue": "1500m"})) == "cpu: 1500m/2"
    assert shown(half, half, half, half) == "cpu: 55%/80%, cpu: 55%/80% + 2 more..."
    assert shown(half, source="containerResource", type_="ContainerResource") == "cpu: 55%/80%"
    worth, apiece = ({"value": "3"}, {"value": "2"}), ({"averageValue": "3"}, {"averageValue": "2", "value": "9"})
    for source in ("object", "external"):
        assert shown(worth, source=source, type_=source.capitalize()) == "2/3"
        assert shown(apiece, source=source, type_=source.capitalize()) == "2/3 (avg)"
    assert shown(apiece, source="pods", type_="Pods") == "2/3"


def test_flow_schemas_are_in_the_order_in_which_they_are_tried() -> None:
    def schema(name: str, precedence: int, **status_: Any) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {"matchingPrecedence": precedence}, "status": status_}

    dangling = {"conditions": [{"type": "Dangling", "status": "False"}]}
    rows = table(kinds.FLOW_SCHEMA, schema("a", 900), schema("b", 100, **dangling), schema("c", 100))["rows"]
    assert [(row["cells"][0], row["cells"][5]) for row in rows] == [("b", "False"), ("c", "?"), ("a", "?")]


def test_the_attacher_is_a_name() -> None:
    formats = {one["name"]: one["format"] for one in table(kinds.VOLUME_ATTACHMENT)["columnDefinitions"]}
    assert [name for name, format_ in formats.items() if format_] == ["Name", "Attacher"]


def test_endpoints() -> None:
    addresses = [{"ip": f"10.0.0.{index}"} for index in range(1, 6)]
    subsets = [{"addresses": addresses, "ports": [{"port": 80}]}]
    assert cells(kinds.ENDPOINTS, subsets=subsets)[1] == "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."
    assert cells(kinds.ENDPOINTS)[1] == "<none>"
    assert (
        cells(kinds.ENDPOINTS, subsets=[{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 1}]}])[1] == "[fd00::1]:1"
    )
    endpoints = [{"addresses": [item["ip"]]} for item in addresses]
    ports = [{"port": 80}, {"name": "x"}, {}]
    got = cells(kinds.ENDPOINT_SLICE, addressType="IPv4", endpoints=endpoints, ports=ports)
    assert got[1:4] == ["IPv4", "80,x,*", "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more..."]
    assert cells(kinds.ENDPOINT_SLICE, addressType="IPv4")[2:4] == ["<unset>", "<unset>"]


def test_events() -> None:
    event = {
        "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
        "reason": "Started",
        "type": "Normal",
        "message": " started \n",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-01T23:00:00Z",
        "lastTimestamp": "2026-01-01T23:59:00Z",
        "count": 3,
    }
    assert cells(kinds.EVENT, **event) == [
        "60s",
        "Normal",
        "Started",
        "pod/p",
        "spec.containers{c}",
        "kubelet, n1",
        "started",
        "60m",
        3,
        "x",
    ]
    new = {"eventTime": "2026-01-01T23:59:30.000000Z", "reportingComponent": "scheduler"}
    got = cells(kinds.EVENT, **new)
    assert (got[0], got[5], got[7], got[8]) == ("30s", "scheduler", "30s", 1)
    series = {"series": {"count": 9, "lastObservedTime": "2026-01-01T23:59:59.000000Z"}}
    got = cells(kinds.EVENT, **new, **series)
    assert (got[0], got[8]) == ("1s", 9)


def test_the_rest() -> None:
    assert cells(kinds.NAMESPACE, status={"phase": "Active"}) == ["x", "Active", "5m"]
    assert cells(kinds.LEASE, spec={"holderIdentity": "n1"}) == ["x", "n1", "5m"]
    assert cells(kinds.CONFIG_MAP, data={"a": ""}, binaryData={"b": ""}) == ["x", 2, "5m"]
    assert cells(kinds.SECRET, type="Opaque", data={"a": ""}) == ["x", "Opaque", 1, "5m"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (135, "2m15s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (176_400, "2d1h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
        (252_288_000, "8y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert human(seconds) == text


def test_ages_of_nonsense() -> None:
    assert age(None, NOW) == "<unknown>"
    assert age("soon", NOW) == "<invalid>"


CELLS: list[tuple[kinds.Kind[Any], dict[str, Any], list[Any]]] = [
    (
        kinds.PERSISTENT_VOLUME,
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "n", "name": "c"},
                "storageClassName": "fast",
                "volumeMode": "Block",
            },
            "status": {"phase": "Bound"},
        },
        ["x", "1Gi", "RWO,RWX", "Retain", "Bound", "n/c", "fast", "<unset>", "", "5m", "Block"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec": {"resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"}},
        ["x", "Pending", "", "", "", "", "<unset>", "5m", "<unset>"],
    ),
    (
        kinds.RESOURCE_QUOTA,
        {"status": {"hard": {"pods": "5", "limits.cpu": "2", "cpu": "1"}, "used": {"pods": "1"}}},
        ["x", "cpu: 0/1, pods: 1/5", "limits.cpu: 0/2", "5m"],
    ),
    (
        kinds.STATEFUL_SET,
        {"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}},
        ["x", "0/3", "5m", "c", "i"],
    ),
    (
        kinds.JOB,
        {
            "spec": {"completions": 2},
            "status": {
                "succeeded": 2,
                "startTime": "2026-01-01T23:58:00Z",
                "completionTime": "2026-01-01T23:58:30Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        },
        ["x", "Complete", "2/2", "30s", "5m", "", "", "<none>"],
    ),
    (
        kinds.CRON_JOB,
        {"spec": {"schedule": "@daily", "suspend": False}, "status": {"lastScheduleTime": "2026-01-01T00:00:00Z"}},
        ["x", "@daily", "<none>", "False", 0, "24h", "5m", "", "", "<none>"],
    ),
    (
        kinds.INGRESS,
        {
            "spec": {"rules": [{"host": h} for h in ("a", "b", "c", "d")], "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        },
        ["x", "<none>", "a,b,c + 1 more...", "192.0.2.1", "80, 443", "5m"],
    ),
    (
        kinds.POD_DISRUPTION_BUDGET,
        {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        ["x", "50%", "N/A", 1, "5m"],
    ),
    (
        kinds.ROLE_BINDING,
        {
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "User", "name": "u"},
                {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "namespace": "n", "name": "s"},
            ],
        },
        ["x", "Role/r", "5m", "u", "g", "n/s"],
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "w"},
                "maxReplicas": 5,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                    }
                ],
            }
        },
        ["x", "Deployment/w", "cpu: <unknown>/80%", "<unset>", 5, 0, "5m"],
    ),
    (
        kinds.CERTIFICATE_SIGNING_REQUEST,
        {
            "spec": {"signerName": "a.b/c", "username": "u", "expirationSeconds": 3600},
            "status": {"conditions": [{"type": "Approved"}], "certificate": "YQ=="},
        },
        ["x", "5m", "a.b/c", "u", "60m", "Approved,Issued"],
    ),
    (
        kinds.PRIORITY_LEVEL_CONFIGURATION,
        {"spec": {"type": "Exempt"}},
        ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", "5m"],
    ),
    (kinds.RESOURCE_CLAIM, {}, ["x", "pending", "5m"]),
    (kinds.CLUSTER_TRUST_BUNDLE, {}, ["x", "<none>"]),
    (kinds.CLUSTER_TRUST_BUNDLE, {"spec": {"signerName": "a.b/c"}}, ["x", "a.b/c"]),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), CELLS, ids=lambda value: getattr(value, "name", ""))
def test_cells(kind: kinds.Kind[Any], fields: dict[str, Any], expected: list[Any]) -> None:
    assert cells(kind, **fields) == expected
