"""What is refused in claims to volumes, and in which words."""

from api import kinds
from tests.verdicts import Document, Kind, Verdict, judged

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
GOOD: dict[Kind, Document] = {
    kinds.PERSISTENT_VOLUME_CLAIM: {
        "metadata": {"name": "rules", "namespace": "default", "resourceVersion": "1"},
        "spec": CLAIM,
    },
}
CLASS = "volume.beta.kubernetes.io/storage-class"
BOUND = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "currentVolumeAttributesClassName": "gold"}}

CREATE: list[tuple[Kind, Document, Verdict]] = [
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/accessModes": None},
        ["spec.accessModes: Required value: at least 1 access mode is required"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/accessModes": ["ReadWriteOncePod", "ReadOnlyMany", "Never"]},
        [
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            'spec.accessModes: Unsupported value: "Never": supported values: "ReadOnlyMany", "ReadWriteMany",',
        ],
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, {"spec/resources": None}, ["spec.resources[storage]: Required value"]),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/resources/requests/storage": "0"},
        ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/resources/requests/storage": "-1"},
        ['spec.resources[storage]: Invalid value: "-1": must be greater than zero'],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/selector": {"matchLabels": {"a b": "-"}}},
        [
            'spec.selector.matchLabels: Invalid value: "-": a valid label must be an empty string or consist of',
            'spec.selector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters,',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/storageClassName": "A", "spec/volumeAttributesClassName": "B", "spec/volumeMode": "Tape"},
        [
            'spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower',
            'spec.volumeAttributesClassName: Invalid value: "B": a lowercase RFC 1123 subdomain must consist of',
            'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {
            "spec/dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
            "spec/dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"},
        },
        ["spec: Invalid value: {}: must match dataSourceRef"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/dataSourceRef": {"kind": "", "name": ""}, "spec/dataSource": {"kind": "", "name": ""}},
        [
            "spec.dataSource.kind: Required value",
            "spec.dataSource.name: Required value",
            "spec.dataSource: Invalid value: \"\": must be 'PersistentVolumeClaim' when referencing the default apiGroup",
            "spec.dataSourceRef.kind: Required value",
            "spec.dataSourceRef.name: Required value",
            "spec.dataSourceRef: Invalid value: \"\": must be 'PersistentVolumeClaim' when referencing the default",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {
            "spec/dataSourceRef": {"apiGroup": "A", "kind": "K", "name": "n"},
            "spec/dataSource": {"apiGroup": "A", "kind": "K", "name": "n"},
        },
        [
            'spec.dataSource.apiGroup: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower',
            'spec.dataSourceRef.apiGroup: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of',
        ],
    ),
]

UPDATE: list[tuple[Kind, str, Document, Document, Verdict]] = [
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {},
        {"spec/accessModes": ["ReadOnlyMany"]},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {},
        {"spec/resources/requests/storage": "3Gi"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {},
        {"spec/resources/requests/storage": "1Gi"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {},
        {"spec/volumeMode": "Block"},
        [
            "spec: Forbidden: spec is immutable after creation except resources.requests and",
            'volumeMode: Invalid value: "Block": field is immutable',
        ],
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", {}, {"spec/volumeName": "v"}, []),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"spec/volumeName": "v"},
        {"spec/volumeName": "w"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", {}, {"spec/storageClassName": "s"}, []),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"spec/storageClassName": "s"},
        {"spec/storageClassName": "t"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"spec/storageClassName": "s"},
        {"spec/storageClassName": None},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", {"metadata/annotations": {CLASS: "s"}}, {"spec/storageClassName": "s"}, []),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"metadata/annotations": {CLASS: "s"}},
        {"spec/storageClassName": "s", "metadata/annotations": {}},
        [],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"metadata/annotations": {CLASS: "s"}},
        {"spec/storageClassName": "t"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"metadata/annotations": {CLASS: "s"}},
        {"metadata/annotations": {CLASS: "t"}},
        ['metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "t": field is immutable'],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {},
        {"metadata/annotations": {CLASS: "t"}},
        ['metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "t": field is immutable'],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        BOUND,
        {"spec/resources/requests/storage": "1Gi"},
        ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", BOUND, {"spec/resources/requests/storage": "1500Mi"}, []),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", BOUND, {"spec/volumeAttributesClassName": "silver"}, []),
    (kinds.PERSISTENT_VOLUME_CLAIM, "", BOUND, {"spec/volumeName": "v", "spec/storageClassName": "s"}, []),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {**BOUND, "spec/volumeAttributesClassName": "gold"},
        {"spec/volumeAttributesClassName": None},
        ["spec.volumeAttributesClassName: Forbidden: update to nil is forbidden when"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {**BOUND, "spec/volumeAttributesClassName": "gold"},
        {"spec/volumeAttributesClassName": ""},
        ["spec.volumeAttributesClassName: Forbidden: update to empty string is forbidden when"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        BOUND,
        {"spec/resources/limits": {"storage": "9Gi"}},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {
            "spec/dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
            "spec/dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "a"},
        },
        {"spec/dataSource/name": "b", "spec/dataSourceRef/name": "b"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {
            "spec/dataSource": {"apiGroup": "g", "kind": "K", "name": "a"},
            "spec/dataSourceRef": {"apiGroup": "g", "kind": "K", "name": "a"},
        },
        {"spec/dataSource/apiGroup": "A", "spec/dataSourceRef/apiGroup": "A"},
        ["spec: Forbidden: spec is immutable after creation except resources.requests and"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "status",
        {},
        {"status": {"capacity": {"storage": "-1", "any": "-2"}}},
        [
            "status.capacity[any]: Invalid value: -2: must be a valid resource quantity",
            "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "status",
        {},
        {"status": {"allocatedResources": {"storage": "-1", "cpu": "1", "a b": "1", "a.b/c": "1500m"}}},
        [
            'status.allocatedResources: Invalid value: "a b": name part must consist of alphanumeric characters,',
            'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
            "status.allocatedResources[storage]: Invalid value: -1: must be a valid resource quantity",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "status",
        {},
        {
            "status": {
                "allocatedResourceStatuses": {
                    "storage": "Never",
                    "cpu": "NodeResizePending",
                    "a b": "NodeResizePending",
                    "a.b/c": "ControllerResizeInfeasible",
                }
            }
        },
        [
            'status.allocatedResourceStatuses: Invalid value: "a b": name part must consist of alphanumeric',
            'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "storage"',
            'status.allocatedResourceStatuses: Unsupported value: "storage": supported values:',
        ],
    ),
]


test_the_good_ones_are_good, test_create, test_update = judged(GOOD, CREATE, UPDATE)
