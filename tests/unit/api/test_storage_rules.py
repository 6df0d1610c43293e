"""What is refused in the kinds of storage.k8s.io, and in which words."""

from typing import Any

from api import kinds
from tests.verdicts import Document, Kind, Verdict, judged

META = {"name": "rules", "resourceVersion": "1"}
TOPOLOGY = {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}
DRIVER = {"name": "d.example.com", "nodeID": "n", "topologyKeys": ["zone"], "allocatable": {"count": 3}}
INLINE = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "d.example.com", "volumeHandle": "h"}}
GOOD: dict[Kind, Document] = {
    kinds.STORAGE_CLASS: {
        "metadata": META,
        "provisioner": "d.example.com",
        "parameters": {"a": "b"},
        "allowedTopologies": [TOPOLOGY],
    },
    kinds.VOLUME_ATTRIBUTES_CLASS: {"metadata": META, "driverName": "d.example.com", "parameters": {"a": "b"}},
    kinds.VOLUME_ATTACHMENT: {
        "metadata": META,
        "spec": {"attacher": "d.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
    },
    kinds.CSI_DRIVER: {
        "metadata": META,
        "spec": {"tokenRequests": [{"audience": "a"}], "volumeLifecycleModes": ["Ephemeral"]},
    },
    kinds.CSI_NODE: {"metadata": META, "spec": {"drivers": [DRIVER]}},
    kinds.CSI_STORAGE_CAPACITY: {
        "metadata": {**META, "namespace": "default"},
        "storageClassName": "s",
        "capacity": "1Gi",
        "nodeTopology": {"matchLabels": {"a": "b"}},
    },
}


def inline(**fields: Any) -> Document:
    """An attachment of a volume that is spelled out."""
    return {"spec/source": {"inlineVolumeSpec": {**INLINE, **fields}}}


CREATE: list[tuple[Kind, Document, Verdict]] = [
    (kinds.STORAGE_CLASS, {"provisioner": None}, ["provisioner: Required value"]),
    (
        kinds.STORAGE_CLASS,
        {"provisioner": "a b"},
        ["provisioner: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or"],
    ),
    (
        kinds.STORAGE_CLASS,
        {"parameters": {f"k{index}": "" for index in range(513)}},
        ["parameters: Too long: may not be more than 512 bytes"],
    ),
    (
        kinds.STORAGE_CLASS,
        {"parameters": {"": "", "a": "b" * 256 * 1024}},
        [
            'parameters: Invalid value: "": field can not be empty.',
            "parameters: Too long: may not be more than 262144 bytes",
        ],
    ),
    (
        kinds.STORAGE_CLASS,
        {"reclaimPolicy": "Recycle"},
        ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    ),
    (
        kinds.STORAGE_CLASS,
        {"volumeBindingMode": "Later"},
        ['volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'],
    ),
    (
        kinds.STORAGE_CLASS,
        {"allowedTopologies": [TOPOLOGY, {}, {"matchLabelExpressions": [{"key": "zone", "values": ["b", "a"]}]}]},
        [
            'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
            'allowedTopologies[2].matchLabelExpressions: Duplicate value: ""',
        ],
    ),
    (
        kinds.STORAGE_CLASS,
        {
            "allowedTopologies": [
                {
                    "matchLabelExpressions": [
                        {"key": "a b", "values": ["c", "c"]},
                        {"key": "d"},
                        {"key": "d", "values": ["e"]},
                    ]
                }
            ]
        },
        [
            'allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: "a b": name part must consist of',
            'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "c"',
            "allowedTopologies[0].matchLabelExpressions[1].values: Required value",
            'allowedTopologies[0].matchLabelExpressions[2].key: Duplicate value: "d"',
        ],
    ),
    (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        {"driverName": None, "parameters": None},
        ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"],
    ),
    (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        {"driverName": "a b", "parameters": {"": "x"}},
        [
            "driverName: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or",
            'parameters: Invalid value: "": field can not be empty.',
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec": {}},
        [
            "spec.attacher: Required value",
            'spec.nodeName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case',
            "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec/attacher": "a" * 64, "spec/nodeName": "N"},
        [
            "spec.attacher: Too long: may not be more than 63 bytes",
            'spec.nodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case',
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec/source/persistentVolumeName": ""},
        [
            'spec.source.persistentVolumeName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of',
            "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec/source/persistentVolumeName": "V"},
        ['spec.source.persistentVolumeName: Invalid value: "V": a lowercase RFC 1123 subdomain must consist'],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec/source/inlineVolumeSpec": {}},
        ["spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        inline(
            claimRef={},
            capacity={"storage": "1Gi"},
            nodeAffinity={},
            storageClassName="s",
            persistentVolumeReclaimPolicy="Delete",
            volumeMode="Block",
        ),
        [
            "spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes",
            "spec.source.inlineVolumeSpec.claimRef: Forbidden: may not be specified in the context of inline volumes",
            "spec.source.inlineVolumeSpec.nodeAffinity: Forbidden: may not be specified in the context of inline",
            "spec.source.inlineVolumeSpec.persistentVolumeReclaimPolicy: Forbidden: may only be Retain in the",
            "spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of",
            "spec.source.inlineVolumeSpec.volumeMode: Forbidden: may not specify volumeMode other than",
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        inline(csi=None, accessModes=[], local={"path": "/a"}),
        [
            "spec.source.inlineVolumeSpec.accessModes: Required value",
            "spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes",
            "spec.source.inlineVolumeSpec.nodeAffinity: Required value: Local volume requires node affinity",
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        inline(csi={}),
        [
            "spec.source.inlineVolumeSpec.csi.driver: Required value",
            "spec.source.inlineVolumeSpec.csi.volumeHandle: Required value",
        ],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        inline(volumeAttributesClassName="", mountOptions=["ro"], persistentVolumeReclaimPolicy="Retain"),
        [],
    ),
    (
        kinds.CSI_DRIVER,
        {"spec/fsGroupPolicy": "Always"},
        ['spec.fsGroupPolicy: Unsupported value: "Always": supported values: "File", "None",'],
    ),
    (
        kinds.CSI_DRIVER,
        {"spec/volumeLifecycleModes": ["Forever"]},
        ['spec.volumeLifecycleModes: Unsupported value: "Forever": supported values: "Persistent", "Ephemeral"'],
    ),
    (
        kinds.CSI_DRIVER,
        {
            "spec/tokenRequests": [
                {"audience": "a"},
                {"audience": "a", "expirationSeconds": 1},
                {"audience": "b", "expirationSeconds": 599},
                {"audience": "c", "expirationSeconds": 2**32 + 1},
            ]
        },
        [
            'spec.tokenRequests[1].audience: Duplicate value: "a"',
            "spec.tokenRequests[2].expirationSeconds: Invalid value: 599: may not specify a duration less than",
            "spec.tokenRequests[3].expirationSeconds: Invalid value: 4294967297: may not specify a duration",
        ],
    ),
    (
        kinds.CSI_DRIVER,
        {"spec/nodeAllocatableUpdatePeriodSeconds": 9},
        ["spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"],
    ),
    (
        kinds.CSI_DRIVER,
        {"spec/tokenRequests": None, "spec/serviceAccountTokenInSecrets": True},
        ["spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no"],
    ),
    (
        kinds.CSI_NODE,
        {"metadata/name": "a_b"},
        ['metadata.name: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case'],
    ),
    (
        kinds.CSI_NODE,
        {
            "spec/drivers": [
                {**DRIVER, "nodeID": ""},
                {
                    **DRIVER,
                    "nodeID": "n" * 257,
                    "allocatable": {"count": -1},
                    "topologyKeys": ["zone", "zone", "", "a b"],
                },
            ]
        },
        [
            "spec.drivers[0].nodeID: Required value",
            "spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
            'spec.drivers[1].name: Duplicate value: "d.example.com"',
            "spec.drivers[1].nodeID: Invalid value:",
            'spec.drivers[1]: Duplicate value: "zone"',
            'spec.drivers[1]: Invalid value: "": name part must be non-empty',
            "spec.drivers[1]: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or",
            "spec.drivers[1]: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_'",
            "spec.drivers[1]: Required value",
        ],
    ),
    (
        kinds.CSI_NODE,
        {"spec/drivers": [{"name": "a_" + "b" * 63, "nodeID": "n"}, {"nodeID": "n"}]},
        [
            "spec.drivers[0].name: Invalid value:",
            "spec.drivers[0].name: Too long: may not be more than 63 bytes",
            "spec.drivers[1].name: Required value",
        ],
    ),
    (
        kinds.CSI_STORAGE_CAPACITY,
        {"storageClassName": None},
        ['storageClassName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case'],
    ),
    (
        kinds.CSI_STORAGE_CAPACITY,
        {"capacity": "-1", "maximumVolumeSize": "-1"},
        ['capacity: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    (
        kinds.CSI_STORAGE_CAPACITY,
        {"nodeTopology": {"matchLabels": {"a b": "-"}}},
        [
            'nodeTopology.matchLabels: Invalid value: "-": a valid label must be an empty string or consist of',
            'nodeTopology.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters,',
        ],
    ),
]

UPDATE: list[tuple[Kind, str, Document, Document, Verdict]] = [
    (
        kinds.STORAGE_CLASS,
        "",
        {},
        {"provisioner": "other"},
        ['provisioner: Invalid value: "other": field is immutable'],
    ),
    (kinds.STORAGE_CLASS, "", {}, {"parameters": None}, ["parameters: Invalid value: null: field is immutable"]),
    (
        kinds.STORAGE_CLASS,
        "",
        {},
        {"parameters/c": "d"},
        ['parameters: Invalid value: {"a":"b","c":"d"}: field is immutable'],
    ),
    (
        kinds.STORAGE_CLASS,
        "",
        {},
        {"reclaimPolicy": "Retain"},
        ['reclaimPolicy: Invalid value: "Retain": field is immutable'],
    ),
    (
        kinds.STORAGE_CLASS,
        "",
        {},
        {"volumeBindingMode": "WaitForFirstConsumer"},
        ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'],
    ),
    (
        kinds.STORAGE_CLASS,
        "",
        {},
        {"allowVolumeExpansion": True, "mountOptions": ["ro"], "allowedTopologies": None},
        [],
    ),
    (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        "",
        {},
        {"driverName": "other", "parameters/c": "d"},
        [
            "driverName: Forbidden: updates to driverName are forbidden.",
            "parameters: Forbidden: updates to parameters are forbidden.",
        ],
    ),
    (kinds.VOLUME_ATTACHMENT, "", {}, {"spec/nodeName": "m"}, ["spec: Invalid value:"]),
    (
        kinds.CSI_DRIVER,
        "",
        {},
        {"spec/attachRequired": False},
        ["spec.attachedRequired: Invalid value: false: field is immutable"],
    ),
    (
        kinds.CSI_DRIVER,
        "",
        {},
        {"spec/volumeLifecycleModes": ["Persistent"]},
        ['spec.volumeLifecycleModes: Invalid value: ["Persistent"]: field is immutable'],
    ),
    (
        kinds.CSI_DRIVER,
        "",
        {},
        {"spec/podInfoOnMount": True, "spec/fsGroupPolicy": "File", "spec/storageCapacity": True},
        [],
    ),
    (kinds.CSI_NODE, "", {}, {"spec/drivers/0/nodeID": "m"}, ["spec.drivers: Invalid value:"]),
    (kinds.CSI_NODE, "", {}, {"spec/drivers/0/topologyKeys": ["host"]}, ["spec.drivers: Invalid value:"]),
    (kinds.CSI_NODE, "", {}, {"spec/drivers/0/allocatable/count": 4}, []),
    (kinds.CSI_NODE, "", {}, {"spec/drivers": []}, []),
    (kinds.CSI_NODE, "", {}, {"spec/drivers/0/name": "other"}, []),
    (
        kinds.CSI_STORAGE_CAPACITY,
        "",
        {},
        {"storageClassName": "t"},
        ['storageClassName: Invalid value: "t": field is immutable'],
    ),
    (
        kinds.CSI_STORAGE_CAPACITY,
        "",
        {},
        {"nodeTopology": None},
        ["nodeTopology: Invalid value: null: field is immutable"],
    ),
    (kinds.CSI_STORAGE_CAPACITY, "", {}, {"capacity": "2Gi"}, []),
    (
        kinds.VOLUME_ATTACHMENT,
        "status",
        {},
        {"status/attachError": {"message": "m" * 1025}},
        ["status.attachError.message: Too long: may not be more than 1024 bytes"],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        "status",
        {},
        {"status/detachError/errorCode": -1},
        ["status.detachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        "status",
        {},
        {"status/attachmentMetadata": {"a": "b" * 256 * 1024}},
        ["status.attachmentMetadata: Too long: may not be more than 262144 bytes"],
    ),
    (
        kinds.VOLUME_ATTACHMENT,
        "status",
        {},
        {"status": {"attached": True, "attachError": {"message": "m", "errorCode": 0}}},
        [],
    ),
]


test_the_good_ones_are_good, test_create, test_update = judged(GOOD, CREATE, UPDATE)
