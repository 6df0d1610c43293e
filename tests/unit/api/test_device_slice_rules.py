"""What is refused in slices of devices, and in which words."""

from typing import Any

from api import kinds
from tests.verdicts import Document, Kind, Verdict, judged

META = {"name": "x", "resourceVersion": "1"}
TERMS = [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]
TAINT = {"key": "a.b/c", "value": "v", "effect": "NoSchedule"}
SHARE = {"counterSet": "all", "counters": {"memory": {"value": "1Gi"}}}
COUNTERS = {"name": "all", "counters": {"memory": {"value": "8Gi"}}}
DEVICE = {
    "name": "gpu0",
    "attributes": {
        "model": {"string": "m"},
        "example.com/version": {"version": "1.2.3"},
        "index": {"int": 0},
        "on": {"bool": False},
    },
    "capacity": {"memory": {"value": "4Gi"}},
    "consumesCounters": [SHARE],
    "taints": [TAINT],
    "bindingConditions": ["a.b/c"],
    "bindingFailureConditions": ["d"],
}
POOL = {"name": "rack/1", "generation": 1, "resourceSliceCount": 1}
GOOD: dict[Kind, Document] = {
    kinds.RESOURCE_SLICE: {
        "metadata": META,
        "spec": {"driver": "gpu.example.com", "pool": POOL, "nodeName": "n", "devices": [DEVICE]},
    }
}


def devices(**fields: Any) -> Document:
    """One device with these fields instead of those of the good one."""
    return {"spec/devices": [{"name": "gpu0", **fields}]}


def policy(value: str, **fields: Any) -> Document:
    """One device with so much memory that claims share by such a policy."""
    memory = {"value": value, "requestPolicy": fields}
    return devices(allowMultipleAllocations=True, capacity={"memory": memory})


def places(*chosen: Document) -> Document:
    """Devices that are reached from these places."""
    return {
        "spec/nodeName": None,
        "spec/perDeviceNodeSelection": True,
        "spec/devices": [{"name": f"gpu{index}", **fields} for index, fields in enumerate(chosen)],
    }


CREATE: list[tuple[Kind, Document, Verdict]] = [
    (kinds.RESOURCE_SLICE, {"spec/driver": None}, ["spec.driver: Required value"]),
    (kinds.RESOURCE_SLICE, {"spec/driver": "a" * 64}, ["spec.driver: Too long: may not be more than 63 bytes"]),
    (
        kinds.RESOURCE_SLICE,
        {"spec/driver": "a_b"},
        ['spec.driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case'],
    ),
    (kinds.RESOURCE_SLICE, {"spec/pool/name": None}, ["spec.pool.name: Required value"]),
    (
        kinds.RESOURCE_SLICE,
        {"spec/pool/name": "a//B"},
        [
            'spec.pool.name: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case',
            'spec.pool.name: Invalid value: "B": a lowercase RFC 1123 subdomain must consist of lower case',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/pool/name": "a" * 254},
        ["spec.pool.name: Invalid value:", "spec.pool.name: Too long: may not be more than 253 bytes"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/pool/generation": -1},
        ["spec.pool.generation: Invalid value: -1: must be greater than or equal to zero"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/pool/resourceSliceCount": 0},
        ["spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/nodeName": None},
        ["spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`,"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/nodeName": ""},
        [
            'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
            "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`,",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/nodeName": "A"},
        ['spec.nodeName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/allNodes": True},
        ['spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`,'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/allNodes": False},
        ["spec.allNodes: Invalid value: false: must be either unset or set to true"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/perDeviceNodeSelection": False},
        ["spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/nodeName": None, "spec/nodeSelector": {"nodeSelectorTerms": []}},
        [
            "spec.nodeSelector.nodeSelectorTerms: Invalid value: []: must have exactly one node selector term",
            "spec.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec/nodeName": None,
            "spec/nodeSelector": {
                "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["N"]}]}]
            },
        },
        ['spec.nodeSelector.nodeSelectorTerms[0].matchFields[0].values[0]: Invalid value: "N": a lowercase'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/sharedCounters": [COUNTERS]},
        ['spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices": [{"name": f"gpu{index}"} for index in range(129)]},
        ["spec.devices: Too many: 129: must have at most 128 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices": [{"name": f"gpu{index}", "taints": [TAINT]} for index in range(65)]},
        ["spec.devices: Too many: 65: must have at most 64 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices": [{"name": f"gpu{index}", "consumesCounters": [SHARE]} for index in range(65)]},
        ["spec.devices: Too many: 65: must have at most 64 items"],
    ),
    (kinds.RESOURCE_SLICE, {"spec/devices": [{"name": "a"}, {"name": "a"}]}, ['spec.devices[1]: Duplicate value: "a"']),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/name": None},
        ['spec.devices[0].name: Invalid value: "": a lowercase RFC 1123 label must consist of lower case'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/name": "a.b"},
        ['spec.devices[0].name: Invalid value: "a.b": must not contain dots'],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(attributes={f"a{index}": {"int": 1} for index in range(33)}),
        ["spec.devices[0]: Invalid value: 33: the total number of attributes and capacities must not exceed 32"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec/devices/0/attributes": {
                "a-b": {"int": 1},
                "/c": {"int": 1},
                "d/": {"int": 1},
                "E_/f": {"int": 1},
                "a/b/c": {"int": 1},
            }
        },
        [
            'spec.devices[0].attributes: Invalid value: "": the domain must not be empty',
            'spec.devices[0].attributes: Invalid value: "": the name must not be empty',
            'spec.devices[0].attributes: Invalid value: "E_": a lowercase RFC 1123 subdomain must consist of',
            'spec.devices[0].attributes: Invalid value: "a-b": a valid C identifier must start with alphabetic',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(attributes={"a" * 100: {}}),
        [
            "spec.devices[0].attributes: Too long: may not be more than 32 bytes",
            "spec.devices[0].attributes[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaa",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/attributes/model": {"int": 1, "string": "a"}},
        ["spec.devices[0].attributes[model]: Invalid value:"],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(attributes={"model": {"string": "a" * 65}}),
        ["spec.devices[0].attributes[model].string: Too long: may not be more than 64 bytes"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/attributes/v": {"version": "v1.2"}},
        ['spec.devices[0].attributes[v].version: Invalid value: "v1.2": must be a string compatible with'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/capacity": {"a b": {"value": "1"}}},
        ['spec.devices[0].capacity: Invalid value: "a b": a valid C identifier must start with alphabetic'],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/capacity": {"m": {"value": "1", "requestPolicy": {"default": "1"}}}},
        ["spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true"],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="1", validValues=["1"], validRange={"min": "1"}),
        ["spec.devices[0].capacity[memory].requestPolicy: Forbidden: exactly one policy can be specified,"],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", validValues=["1"]),
        ["spec.devices[0].capacity[memory].requestPolicy.default: Required value: required when validValues"],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", validRange={"min": "1"}),
        ["spec.devices[0].capacity[memory].requestPolicy.default: Required value: required when validRange is"],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="3", validValues=["1", "8", "2", "2"]),
        [
            'spec.devices[0].capacity[memory].requestPolicy.validValues: Invalid value: "3": default value is',
            'spec.devices[0].capacity[memory].requestPolicy.validValues[1]: Invalid value: "8": option is larger',
            'spec.devices[0].capacity[memory].requestPolicy.validValues[2]: Invalid value: "2": values must be',
            'spec.devices[0].capacity[memory].requestPolicy.validValues[3]: Duplicate value: "2"',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("40", default="1", validValues=[str(index) for index in range(1, 12)]),
        [
            'spec.devices[0].capacity[memory].requestPolicy.validValues: Invalid value: "1": default value is',
            "spec.devices[0].capacity[memory].requestPolicy.validValues: Too many: 11: must have at most 10 items",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="1", validRange={"max": "2"}),
        ["spec.devices[0].capacity[memory].requestPolicy.validRange.min: Required value: required when"],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="2", validRange={"min": "5"}),
        [
            'spec.devices[0].capacity[memory].requestPolicy.validRange.min: Invalid value: "2": default is less',
            'spec.devices[0].capacity[memory].requestPolicy.validRange.min: Invalid value: "5": min is larger',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="9", validRange={"min": "8", "max": "7"}),
        [
            'spec.devices[0].capacity[memory].requestPolicy.validRange.max: Invalid value: "7": max is larger',
            'spec.devices[0].capacity[memory].requestPolicy.validRange.max: Invalid value: "8": min is larger',
            'spec.devices[0].capacity[memory].requestPolicy.validRange.max: Invalid value: "9": default is more',
            'spec.devices[0].capacity[memory].requestPolicy.validRange.min: Invalid value: "8": min is larger',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("10Gi", default="1Gi", validRange={"min": "1Gi", "max": "5Gi", "step": "1500Mi"}),
        ['spec.devices[0].capacity[memory].requestPolicy.validRange.step: Invalid value: "5Gi": value is not'],
    ),
    (  # upstream's server breaks down here
        kinds.RESOURCE_SLICE,
        policy("4", default="1", validRange={"min": "1", "step": "0"}),
        ['spec.devices[0].capacity[memory].requestPolicy.validRange.step: Invalid value: "0": must not be zero'],
    ),
    (
        kinds.RESOURCE_SLICE,
        policy("4", default="3", validRange={"min": "1", "step": "4"}),
        [
            'spec.devices[0].capacity[memory].requestPolicy.validRange.step: Invalid value: "3": value is not a',
            'spec.devices[0].capacity[memory].requestPolicy.validRange.step: Invalid value: "4": one step 5 is',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(taints=[TAINT] * 17),
        ["spec.devices[0].taints: Too many: 17: must have at most 16 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/taints": [{"key": "a b", "value": "-", "effect": "Never"}, {"key": "a"}]},
        [
            'spec.devices[0].taints[0].effect: Unsupported value: "Never": supported values: "NoExecute",',
            'spec.devices[0].taints[0].key: Invalid value: "a b": name part must consist of alphanumeric',
            'spec.devices[0].taints[0].value: Invalid value: "-": a valid label must be an empty string or',
            "spec.devices[0].taints[1].effect: Required value",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(consumesCounters=[SHARE] * 3),
        ["spec.devices[0].consumesCounters: Too many: 3: must have at most 2 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec/devices/0/consumesCounters": [
                {"counterSet": "a", "counters": {"A": {"value": "1"}}},
                {"counterSet": "a"},
            ]
        },
        [
            'spec.devices[0].consumesCounters[0].counters: Invalid value: "A": a lowercase RFC 1123 label must',
            "spec.devices[0].consumesCounters[1].counters: Required value",
            'spec.devices[0].consumesCounters[1]: Duplicate value: "a"',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/consumesCounters": [{"counterSet": "A", "counters": {"a": {"value": "1"}}}]},
        ['spec.devices[0].consumesCounters[0].counterSet: Invalid value: "A": a lowercase RFC 1123 label must'],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(
            consumesCounters=[{"counterSet": "a", "counters": {f"c{index}": {"value": "1"} for index in range(33)}}]
        ),
        ["spec.devices[0].consumesCounters[0].counters: Too many: 33: must have at most 32 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices": None, "spec/sharedCounters": [{**COUNTERS, "name": f"c{index}"} for index in range(9)]},
        ["spec.sharedCounters: Too many: 9: must have at most 8 items"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec/devices": None,
            "spec/sharedCounters": [{"name": "a", "counters": {"A": {"value": "1"}}}, {"name": "a"}, {}],
        },
        [
            'spec.sharedCounters[0].counters: Invalid value: "A": a lowercase RFC 1123 label must consist of',
            "spec.sharedCounters[1].counters: Required value",
            'spec.sharedCounters[1]: Duplicate value: "a"',
            "spec.sharedCounters[2].counters: Required value",
            "spec.sharedCounters[2].name: Required value",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/nodeName": "n"},
        ["spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if"],
    ),
    (
        kinds.RESOURCE_SLICE,
        places({}, {"nodeName": ""}, {"nodeName": "A"}, {"allNodes": False}, {"nodeName": "n", "allNodes": True}),
        [
            "spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is",
            'spec.devices[1].nodeName: Invalid value: "": must not be empty',
            "spec.devices[1]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is",
            'spec.devices[2].nodeName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower',
            "spec.devices[3].allNodes: Invalid value: false: must be either unset or set to true",
            "spec.devices[3]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is",
            'spec.devices[4]: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`,',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        places({"nodeSelector": {}}),
        ["spec.devices[0].nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term"],
    ),
    (
        kinds.RESOURCE_SLICE,
        devices(bindingConditions=["a", "b", "c", "d", "e"], bindingFailureConditions=["f", "g", "h", "i", "j"]),
        [
            "spec.devices[0].bindingConditions: Too many: 5: must have at most 4 items",
            "spec.devices[0].bindingFailureConditions: Too many: 5: must have at most 4 items",
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec/devices/0/bindingConditions": ["a", "a b", "a"],
            "spec/devices/0/bindingFailureConditions": ["c", "c", "a"],
        },
        [
            'spec.devices[0].bindingConditions[1]: Invalid value: "a b": name part must consist of alphanumeric',
            'spec.devices[0].bindingConditions[2]: Duplicate value: "a"',
            'spec.devices[0].bindingFailureConditions[1]: Duplicate value: "c"',
            'spec.devices[0].bindingFailureConditions[2]: Invalid value: "a": bindingFailureConditions must not',
        ],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/bindingConditions": None},
        ["spec.devices[0].bindingConditions: Invalid value: null: bindingConditions are required to use"],
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices/0/bindingFailureConditions": None},
        ["spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are"],
    ),
]

UPDATE: list[tuple[Kind, str, Document, Document, Verdict]] = [
    (
        kinds.RESOURCE_SLICE,
        "",
        {},
        {"spec/driver": "other.example.com"},
        ['spec.driver: Invalid value: "other.example.com": field is immutable'],
    ),
    (
        kinds.RESOURCE_SLICE,
        "",
        {},
        {"spec/pool/name": "other"},
        ['spec.pool.name: Invalid value: "other": field is immutable'],
    ),
    (
        kinds.RESOURCE_SLICE,
        "",
        {},
        {"spec/nodeName": "other"},
        ['spec.nodeName: Invalid value: "other": field is immutable'],
    ),
    (
        kinds.RESOURCE_SLICE,
        "",
        {},
        {"spec/nodeName": None, "spec/allNodes": True},
        ["spec.nodeName: Invalid value: null: field is immutable"],
    ),
    (
        kinds.RESOURCE_SLICE,
        "",
        {},
        {"spec/devices/0/taints": [{"key": "a", "effect": "Never"}]},
        ['spec.devices[0].taints[0].effect: Unsupported value: "Never": supported values: "NoExecute",'],
    ),
]


test_the_good_ones_are_good, test_create, test_update = judged(GOOD, CREATE, UPDATE)
