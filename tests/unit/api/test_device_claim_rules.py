"""What is refused in claims to devices, their templates, classes and statuses, and in which words."""

from typing import Any

from api import kinds
from tests.verdicts import Document, Kind, Verdict, judged

META = {"name": "x", "namespace": "default", "resourceVersion": "1"}
SELECTORS = [{"cel": {"expression": "true"}}]
SETTINGS = {"driver": "gpu.example.com", "parameters": {"mode": "fast"}}
EXACTLY = {
    "deviceClassName": "gpu.example.com",
    "selectors": SELECTORS,
    "count": 2,
    "tolerations": [{"key": "a.b/c", "operator": "Equal", "value": "v", "effect": "NoExecute"}, {"operator": "Exists"}],
}
CLAIM = {
    "devices": {
        "requests": [
            {"name": "one", "exactly": EXACTLY},
            {
                "name": "two",
                "firstAvailable": [{"name": "big", "deviceClassName": "c"}, {"name": "small", "deviceClassName": "d"}],
            },
        ],
        "constraints": [{"requests": ["one", "two/big"], "matchAttribute": "example.com/model"}],
        "config": [{"requests": ["two"], "opaque": SETTINGS}],
    }
}
GOOD: dict[Kind, Document] = {
    kinds.RESOURCE_CLAIM: {"metadata": META, "spec": CLAIM},
    kinds.RESOURCE_CLAIM_TEMPLATE: {"metadata": META, "spec": {"metadata": {"labels": {"a": "b"}}, "spec": CLAIM}},
    kinds.DEVICE_CLASS: {
        "metadata": {"name": "x", "resourceVersion": "1"},
        "spec": {"selectors": SELECTORS, "config": [{"opaque": SETTINGS}], "extendedResourceName": "example.com/gpu"},
    },
}
SHARE = "7f4c5a62-1b1e-4d3a-9c5e-3f1a2b3c4d5e"
DEVICE = {"driver": "gpu.example.com", "pool": "p", "device": "gpu0"}
RESULT = {**DEVICE, "request": "one", "shareID": SHARE}
ALLOCATION = {
    "devices": {
        "results": [RESULT, {**DEVICE, "request": "two/big"}],
        "config": [{"source": "FromClass", "opaque": SETTINGS}],
    },
    "nodeSelector": {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]
    },
}
POD = {"resource": "pods", "name": "p", "uid": "u"}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "R",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
NETWORK = {"interfaceName": "eth0", "ips": ["10.0.0.1/24", "fd00::1/64"], "hardwareAddress": "00:11:22:33:44:55"}
TOLD = {**DEVICE, "shareID": SHARE, "conditions": [CONDITION], "data": {"a": 1}, "networkData": NETWORK}
STATUS = {"status": {"allocation": ALLOCATION, "reservedFor": [POD], "devices": [TOLD]}}


def requests(*items: Document) -> Document:
    """These requests and nothing else."""
    return {"spec/devices": {"requests": list(items)}}


def exactly(**fields: Any) -> Document:
    """A request for one class with these fields."""
    return requests({"name": "one", "exactly": {"deviceClassName": "c", **fields}})


def told(**fields: Any) -> Document:
    """A device's status with these fields instead of those of the good one."""
    return {"status/devices": [{**TOLD, **fields}]}


CREATE: list[tuple[Kind, Document, Verdict]] = [
    (
        kinds.RESOURCE_CLAIM,
        requests(*({"name": f"r{index}", "exactly": EXACTLY} for index in range(33))),
        ["spec.devices.requests: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        requests(
            {"name": "A"}, {"name": "b", "exactly": {}, "firstAvailable": [{}]}, {"name": "a.b", "exactly": EXACTLY}
        ),
        [
            'spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower',
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
            "spec.devices.requests[1]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is",
            'spec.devices.requests[2].name: Invalid value: "a.b": must not contain dots',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        requests({"name": "a", "exactly": EXACTLY}, {"name": "a", "exactly": EXACTLY}),
        ['spec.devices.requests[1]: Duplicate value: "a"'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        requests(
            {"name": "a", "firstAvailable": [{"name": f"r{index}", "deviceClassName": "c"} for index in range(9)]}
        ),
        ["spec.devices.requests[0].firstAvailable: Too many: 9: must have at most 8 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        requests(
            {
                "name": "a",
                "firstAvailable": [
                    {"deviceClassName": "A"},
                    {"name": "b"},
                    {"name": "b", "deviceClassName": "c", "count": -1},
                ],
            }
        ),
        [
            'spec.devices.requests[0].firstAvailable[0].deviceClassName: Invalid value: "A": a lowercase RFC',
            'spec.devices.requests[0].firstAvailable[0].name: Invalid value: "": a lowercase RFC 1123 label must',
            "spec.devices.requests[0].firstAvailable[1].deviceClassName: Required value",
            "spec.devices.requests[0].firstAvailable[2].count: Invalid value: -1: must be greater than zero",
            'spec.devices.requests[0].firstAvailable[2]: Duplicate value: "b"',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(allocationMode="All", count=1),
        ["spec.devices.requests[0].exactly.count: Invalid value: 1: must not be specified when allocationMode"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(allocationMode="Some"),
        ['spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Some": supported values:'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(count=-1),
        ["spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(deviceClassName=""),
        ["spec.devices.requests[0].exactly.deviceClassName: Required value"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(selectors=SELECTORS * 33),
        ["spec.devices.requests[0].exactly.selectors: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(selectors=[{}, {"cel": {"expression": "true" + " " * 10240}}]),
        [
            "spec.devices.requests[0].exactly.selectors[0].cel: Required value",
            "spec.devices.requests[0].exactly.selectors[1].cel.expression: Too long: may not be more than 10240 bytes",
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        exactly(
            tolerations=[
                {"operator": "Exists", "value": "v"},
                {"value": "-"},
                {"operator": "Like", "key": "a b", "effect": "Never"},
            ]
        ),
        [
            'spec.devices.requests[0].exactly.tolerations[0].value: Invalid value: "v": must be empty for',
            'spec.devices.requests[0].exactly.tolerations[1].value: Invalid value: "-": a valid label must be an',
            'spec.devices.requests[0].exactly.tolerations[2].effect: Unsupported value: "Never": supported',
            'spec.devices.requests[0].exactly.tolerations[2].key: Invalid value: "a b": name part must consist',
            'spec.devices.requests[0].exactly.tolerations[2].operator: Unsupported value: "Like": supported',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/constraints": [{"matchAttribute": "a/b"}] * 33},
        ["spec.devices.constraints: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/constraints": [{}]},
        ['spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute"'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {
            "spec/devices/constraints": [
                {"matchAttribute": "model"},
                {"matchAttribute": "A_/b"},
                {"distinctAttribute": "a/"},
                {"distinctAttribute": "/b"},
            ]
        },
        [
            'spec.devices.constraints[0].matchAttribute: Invalid value: "model": a fully qualified name must be',
            'spec.devices.constraints[1].matchAttribute: Invalid value: "A_": a lowercase RFC 1123 subdomain',
            'spec.devices.constraints[2].distinctAttribute: Invalid value: "": the name must not be empty',
            'spec.devices.constraints[3].distinctAttribute: Invalid value: "": the domain must not be empty',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/constraints/0/requests": ["one", "one", "three", "two/tiny", "a/b/c"]},
        [
            'spec.devices.constraints[0].requests[1]: Duplicate value: "one"',
            'spec.devices.constraints[0].requests[2]: Invalid value: "three": must be the name of a request in',
            'spec.devices.constraints[0].requests[3]: Invalid value: "two/tiny": must be the name of a request',
            'spec.devices.constraints[0].requests[4]: Invalid value: "a/b/c": must be the name of a request in',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/constraints/0/requests": ["one"] * 33},
        ["spec.devices.constraints[0].requests: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/config": [{"opaque": SETTINGS}] * 33},
        ["spec.devices.config: Too many: 33: must have at most 32 items"],
    ),
    (kinds.RESOURCE_CLAIM, {"spec/devices/config": [{}]}, ["spec.devices.config[0].opaque: Required value"]),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/config/0/opaque": {}},
        [
            "spec.devices.config[0].opaque.driver: Required value",
            "spec.devices.config[0].opaque.parameters: Required value",
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/config/0/opaque": {"driver": "a_b", "parameters": []}},
        [
            'spec.devices.config[0].opaque.driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain must',
            'spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/config/0/opaque/parameters": {"a": "b" * 10240}},
        ["spec.devices.config[0].opaque.parameters: Too long: may not be more than 10240 bytes"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices/config/0/requests": ["A"]},
        [
            'spec.devices.config[0].requests[0]: Invalid value: "A": a lowercase RFC 1123 label must consist of',
            'spec.devices.config[0].requests[0]: Invalid value: "A": must be the name of a request in the claim',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM_TEMPLATE,
        {
            "spec/metadata": {
                "name": "a",
                "uid": "u",
                "finalizers": ["a.b/c"],
                "labels": {"a b": "c"},
                "annotations": {"d e": ""},
            }
        },
        [
            'spec.metadata.annotations: Invalid value: "d e": name part must consist of alphanumeric characters,',
            "spec.metadata.finalizers: Forbidden: cannot be set",
            "spec.metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-',",
            "spec.metadata.name: Forbidden: cannot be set",
            "spec.metadata.uID: Forbidden: cannot be set",
        ],
    ),
    (
        kinds.RESOURCE_CLAIM_TEMPLATE,
        {"spec/spec/devices/requests/0/name": "A"},
        [
            'spec.spec.devices.constraints[0].requests[0]: Invalid value: "one": must be the name of a request',
            'spec.spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of',
        ],
    ),
    (
        kinds.DEVICE_CLASS,
        {"spec/selectors": SELECTORS * 33},
        ["spec.selectors: Too many: 33: must have at most 32 items"],
    ),
    (kinds.DEVICE_CLASS, {"spec/selectors": [{}]}, ["spec.selectors[0].cel: Required value"]),
    (
        kinds.DEVICE_CLASS,
        {"spec/config": [{"opaque": SETTINGS}] * 33},
        ["spec.config: Too many: 33: must have at most 32 items"],
    ),
    (kinds.DEVICE_CLASS, {"spec/config": [{}]}, ["spec.config[0].opaque: Required value"]),
    (
        kinds.DEVICE_CLASS,
        {"metadata/name": "a" * 254},
        [f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 bytes'],
    ),
    (
        kinds.DEVICE_CLASS,
        {"spec/extendedResourceName": "cpu"},
        ['spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'],
    ),
    (
        kinds.DEVICE_CLASS,
        {"spec/extendedResourceName": "a.kubernetes.io/b"},
        ['spec.extendedResourceName: Invalid value: "a.kubernetes.io/b": must be a valid extended resource name'],
    ),
    (
        kinds.DEVICE_CLASS,
        {"spec/extendedResourceName": "requests.a/b"},
        ['spec.extendedResourceName: Invalid value: "requests.a/b": must be a valid extended resource name'],
    ),
]

UPDATE: list[tuple[Kind, str, Document, Document, Verdict]] = [
    (kinds.RESOURCE_CLAIM, "", {}, {"spec/devices/requests/0/exactly/count": 3}, ["spec: Invalid value:"]),
    (
        kinds.RESOURCE_CLAIM_TEMPLATE,
        "",
        {},
        {"spec/spec/devices/requests/0/exactly/count": 3},
        ["spec: Invalid value:"],
    ),
    (kinds.DEVICE_CLASS, "", {}, {"spec/config": [{}]}, ["spec.config[0].opaque: Required value"]),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        {"status/allocation/devices/results/0/device": "gpu1", "status/devices": None},
        ["status.allocation: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        {"status/allocation": None, "status/devices": None},
        ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        {"status/reservedFor": [{}]},
        [
            "status.reservedFor[0].name: Required value",
            "status.reservedFor[0].resource: Required value",
            "status.reservedFor[0].uid: Required value",
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        {"status/reservedFor": [POD, {**POD, "name": "q"}]},
        ['status.reservedFor[1]: Duplicate value: "u"'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        {"status/reservedFor": [{**POD, "uid": f"u{index}"} for index in range(257)]},
        ["status.reservedFor: Too many: 257: must have at most 256 items"],
    ),
    (kinds.RESOURCE_CLAIM, "status", STATUS, told(device="gpu1"), ["status.devices[0]: Invalid value:"]),
    (kinds.RESOURCE_CLAIM, "status", STATUS, {"status/devices": [TOLD, TOLD]}, ["status.devices[1]: Duplicate value:"]),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(conditions=[{**CONDITION, "type": f"C{index}"} for index in range(9)]),
        ["status.devices[0].conditions: Too many: 9: must have at most 8 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(conditions=[{**CONDITION, "status": "Yes", "reason": ""}]),
        [
            "status.devices[0].conditions[0].reason: Required value",
            'status.devices[0].conditions[0].status: Unsupported value: "Yes": supported values: "False",',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(data=[]),
        ['status.devices[0].data: Invalid value: "<value omitted>": must be a valid JSON object'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(data={"a": "b" * 10240}),
        ["status.devices[0].data: Too long: may not be more than 10240 bytes"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(networkData={"interfaceName": "e" * 257, "hardwareAddress": "0" * 129}),
        [
            "status.devices[0].networkData.hardwareAddress: Too long: may not be more than 128 bytes",
            "status.devices[0].networkData.interfaceName: Too long: may not be more than 256 bytes",
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(networkData={"ips": ["10.0.0.1", "10.0.0.1/24", "10.0.0.1/24", "FD00::1/64", "10.0.0.01/8", "a"]}),
        [
            'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address in CIDR',
            'status.devices[0].networkData.ips[2]: Duplicate value: "10.0.0.1/24"',
            'status.devices[0].networkData.ips[3]: Invalid value: "FD00::1/64": must be in canonical form',
            'status.devices[0].networkData.ips[4]: Invalid value: "10.0.0.01/8": must be in canonical form',
            'status.devices[0].networkData.ips[5]: Invalid value: "a": must be a valid address in CIDR form,',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        STATUS,
        told(networkData={"ips": [f"10.0.0.{index}/24" for index in range(17)]}),
        ["status.devices[0].networkData.ips: Too many: 17: must have at most 16 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/request": "three", "status/devices": None},
        ['status.allocation.devices.results[0].request: Invalid value: "three": must be the name of a request'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {
            **STATUS,
            "status/allocation/devices/results/0/driver": "a_b",
            "status/allocation/devices/results/0/pool": "",
            "status/allocation/devices/results/0/device": "A",
            "status/allocation/devices/results/0/shareID": "1",
            "status/devices": None,
        },
        [
            'status.allocation.devices.results[0].device: Invalid value: "A": a lowercase RFC 1123 label must',
            'status.allocation.devices.results[0].driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain',
            "status.allocation.devices.results[0].pool: Required value",
            'status.allocation.devices.results[0].shareID: Invalid value: "1": error validating uid: invalid',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": SHARE.upper(), "status/devices": None},
        ["status.allocation.devices.results[0].shareID: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": SHARE.replace("-", "+"), "status/devices": None},
        ["status.allocation.devices.results[0].shareID: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": "{" + SHARE + "}", "status/devices": None},
        ["status.allocation.devices.results[0].shareID: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": "uuu:uuid:" + SHARE, "status/devices": None},
        ["status.allocation.devices.results[0].shareID: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": "(" + SHARE + ")", "status/devices": None},
        ["status.allocation.devices.results[0].shareID: Invalid value:"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results/0/shareID": "z" * 32, "status/devices": None},
        ['status.allocation.devices.results[0].shareID: Invalid value: "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz":'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {
            **STATUS,
            "status/allocation/devices/results/0/bindingConditions": ["a b"],
            "status/allocation/devices/results/0/bindingFailureConditions": ["c"],
        },
        ['status.allocation.devices.results[0].bindingConditions[0]: Invalid value: "a b": name part must'],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/results": [RESULT] * 33},
        ["status.allocation.devices.results: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/config": [{"source": "FromClaim", "opaque": SETTINGS}] * 65},
        ["status.allocation.devices.config: Too many: 65: must have at most 64 items"],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/devices/config": [{}, {"source": "Else", "requests": ["one", "one", "x"]}]},
        [
            "status.allocation.devices.config[0].opaque: Required value",
            "status.allocation.devices.config[0].source: Required value",
            "status.allocation.devices.config[1].opaque: Required value",
            'status.allocation.devices.config[1].requests[1]: Duplicate value: "one"',
            'status.allocation.devices.config[1].requests[2]: Invalid value: "x": must be the name of a request',
            'status.allocation.devices.config[1].source: Unsupported value: "Else": supported values:',
        ],
    ),
    (
        kinds.RESOURCE_CLAIM,
        "status",
        {},
        {**STATUS, "status/allocation/nodeSelector": {}},
        ["status.allocation.nodeSelector.nodeSelectorTerms: Required value: must have at least one node"],
    ),
]


test_the_good_ones_are_good, test_create, test_update = judged(GOOD, CREATE, UPDATE)
