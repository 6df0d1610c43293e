"""What is refused in PersistentVolumes, and in which words."""

from typing import Any

from api import kinds
from tests.verdicts import Document, Kind, Verdict, judged

SECRET = {"name": "s", "namespace": "ns"}
PLACES = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
        ]
    }
}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
CSI = {"driver": "d.example.com", "volumeHandle": "h"}
GOOD: dict[Kind, Document] = {
    kinds.PERSISTENT_VOLUME: {"metadata": {"name": "rules", "resourceVersion": "1"}, "spec": {**VOLUME, "csi": CSI}},
}


def source(**fields: Any) -> Document:
    """A volume from somewhere else."""
    return {"spec": {**VOLUME, **fields}}


def iscsi(**fields: Any) -> Document:
    """A volume over iSCSI with these fields instead of those of a good one."""
    return source(iscsi={"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:a", "lun": 0, **fields})


CREATE: list[tuple[Kind, Document, Verdict]] = [
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/accessModes": ["ReadWriteOncePod", "ReadOnlyMany", "Never"]},
        [
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            'spec.accessModes: Unsupported value: "Never": supported values: "ReadOnlyMany", "ReadWriteMany",',
        ],
    ),
    (kinds.PERSISTENT_VOLUME, {"spec/accessModes": None}, ["spec.accessModes: Required value"]),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/capacity": None},
        ["spec.capacity: Required value", 'spec.capacity: Unsupported value: null: supported values: "storage"'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/capacity": {"storage": "-1", "cpu": "0"}},
        [
            'spec.capacity: Unsupported value: {"cpu":"0","storage":"-1"}: supported values: "storage"',
            'spec.capacity[cpu]: Invalid value: "0": must be greater than zero',
            'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
            "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/persistentVolumeReclaimPolicy": "Keep"},
        ['spec.persistentVolumeReclaimPolicy: Unsupported value: "Keep": supported values: "Delete",'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/nodeAffinity": {}},
        ["spec.nodeAffinity.required: Required value: must specify required node constraints"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/nodeAffinity": {"required": {}}},
        ["spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/storageClassName": "A"},
        ['spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/volumeMode": "Tape"},
        ['spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/volumeAttributesClassName": ""},
        ["spec.volumeAttributesClassName: Required value: an empty string is disallowed"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/volumeAttributesClassName": "A", "spec/csi": None, "spec/nfs": {"server": "s", "path": "/"}},
        [
            "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            'spec.volumeAttributesClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"metadata/annotations": {"volume.beta.kubernetes.io/mount-options": "ro"}},
        ["metadata.annotations.volume.beta.kubernetes.io/mount-options: Forbidden: may not specify mount"],
    ),
    (kinds.PERSISTENT_VOLUME, source(), ["spec: Required value: must specify a volume type"]),
    (
        kinds.PERSISTENT_VOLUME,
        source(csi=CSI, nfs={}, cephfs={}, hostPath={"path": "/a"}, gcePersistentDisk={}, flexVolume={}),
        [
            "spec.cephFS: Forbidden: may not specify more than 1 volume type",
            "spec.csi: Forbidden: may not specify more than 1 volume type",
            "spec.flexVolume.driver: Required value",
            "spec.gcePersistentDisk: Forbidden: may not specify more than 1 volume type",
            "spec.nfs: Forbidden: may not specify more than 1 volume type",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(hostPath={"path": "/../"}, persistentVolumeReclaimPolicy="Recycle"),
        [
            "spec.hostPath.path: Invalid value: \"/../\": must not contain '..'",
            "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(hostPath={"path": "/."}, persistentVolumeReclaimPolicy="Recycle"),
        ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ),
    (kinds.PERSISTENT_VOLUME, source(hostPath={"path": "", "type": "Pipe"}), ["spec.hostPath.path: Required value"]),
    (
        kinds.PERSISTENT_VOLUME,
        source(hostPath={"path": "/a", "type": "Pipe"}),
        ['spec.hostPath.type: Unsupported value: "Pipe": supported values: "", "BlockDevice", "CharDevice",'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(local={"path": "a/.."}),
        [
            "spec.local.path: Invalid value: \"a/..\": must not contain '..'",
            "spec.nodeAffinity: Required value: Local volume requires node affinity",
        ],
    ),
    (kinds.PERSISTENT_VOLUME, source(local={}, nodeAffinity=PLACES), ["spec.local.path: Required value"]),
    (
        kinds.PERSISTENT_VOLUME,
        source(nfs={"server": ""}),
        [
            'spec.nfs.path: Invalid value: "": must be an absolute path',
            "spec.nfs.path: Required value",
            "spec.nfs.server: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(
            csi={
                "driver": "a" * 64,
                "nodePublishSecretRef": {},
                "controllerPublishSecretRef": {"name": "A", "namespace": "b.c"},
            }
        ),
        [
            'spec.csi.controllerPublishSecretRef.name: Invalid value: "A": a lowercase RFC 1123 subdomain must',
            'spec.csi.controllerPublishSecretRef.namespace: Invalid value: "b.c": must not contain dots',
            "spec.csi.driver: Too long: may not be more than 63 bytes",
            "spec.csi.nodePublishSecretRef.name: Required value",
            "spec.csi.nodePublishSecretRef.namespace: Required value",
            "spec.csi.volumeHandle: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(
            csi={
                "driver": "a_b",
                "volumeHandle": "h",
                "controllerExpandSecretRef": {},
                "nodeExpandSecretRef": {"name": "a"},
                "nodeStageSecretRef": {},
            }
        ),
        [
            "spec.csi.controllerExpandSecretRef.name: Required value",
            "spec.csi.controllerExpandSecretRef.namespace: Required value",
            'spec.csi.driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case',
            "spec.csi.nodeExpandSecretRef.namespace: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        iscsi(targetPortal="", iqn="", lun=256),
        [
            "spec.iscsi.iqn: Required value",
            "spec.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            "spec.iscsi.targetPortal: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        iscsi(targetPortal="a" * 60, initiatorName="other"),
        [
            'spec.iscsi.initiatorname: Invalid value: "other": must be valid format',
            "spec.iscsi.targetportal: Invalid value:",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        iscsi(iqn="iqn.2001", initiatorName="naa.1", chapAuthSession=True),
        [
            'spec.iscsi.initiatorname: Invalid value: "naa.1": must be valid format',
            'spec.iscsi.iqn: Invalid value: "iqn.2001": must be valid format',
            "spec.iscsi.secretRef: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        iscsi(iqn="eui.1", secretRef={}),
        ['spec.iscsi.iqn: Invalid value: "eui.1": must be valid format', "spec.iscsi.secretRef.name: Required value"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(gcePersistentDisk={"pdName": "", "partition": 256}),
        [
            "spec.persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
            "spec.persistentDisk.pdName: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(awsElasticBlockStore={"partition": -1}),
        [
            "spec.awsElasticBlockStore.partition: Invalid value: -1: must be between 1 and 255, inclusive",
            "spec.awsElasticBlockStore.volumeID: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(glusterfs={"endpointsNamespace": ""}),
        [
            "spec.glusterfs.endpoints: Required value",
            'spec.glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace is set, it must be a',
            "spec.glusterfs.path: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(glusterfs={"endpoints": "e", "path": "p", "endpointsNamespace": "a.b"}),
        ['spec.glusterfs.endpointsNamespace: Invalid value: "a.b": must not contain dots'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(flocker={}),
        ["spec.flocker: Required value: one of datasetName and datasetUUID is required"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(flocker={"datasetName": "a/b", "datasetUUID": "u"}),
        [
            "spec.flocker.datasetName: Invalid value: \"a/b\": must not contain '/'",
            'spec.flocker: Invalid value: "resource": datasetName and datasetUUID can not be specified simultaneously',
        ],
    ),
    (kinds.PERSISTENT_VOLUME, source(rbd={}), ["spec.rbd.image: Required value", "spec.rbd.monitors: Required value"]),
    (kinds.PERSISTENT_VOLUME, source(cephfs={}), ["spec.cephfs.monitors: Required value"]),
    (
        kinds.PERSISTENT_VOLUME,
        source(cinder={"secretRef": {}}),
        [
            "spec.cinder.secretRef.name: Required value",
            "spec.cinder.secretRef.namespace: Required value",
            "spec.cinder.volumeID: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(fc={"lun": 3}),
        ["spec.fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(fc={"targetWWNs": ["a"], "wwids": ["b"], "lun": 256}),
        [
            "spec.fc.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            'spec.fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(fc={"targetWWNs": ["a"]}),
        ["spec.fc.lun: Required value: lun is required if targetWWNs is specified"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(quobyte={}),
        [
            "spec.quobyte.registry: Required value: must be a host:port pair or multiple pairs separated by commas",
            "spec.quobyte.volume: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(quobyte={"registry": "a:1,b,[::1]:2,c:d:3", "volume": "v"}),
        ['spec.quobyte.registry: Invalid value: "a:1,b,[::1]:2,c:d:3": must be a host:port pair or multiple'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(quobyte={"registry": "a:1", "volume": "v", "tenant": "t" * 65}),
        ["spec.quobyte.tenant: Required value: must be a UUID and may not exceed a length of 64 characters"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(flexVolume={"options": {"a.k8s.io/b": "c", "Kubernetes.io": "d", "K8s.io/e": "f", "xk8s.io": "g"}}),
        [
            "spec.flexVolume.driver: Required value",
            'spec.flexVolume.options[K8s.io/e]: Invalid value: "K8s.io/e": kubernetes.io and k8s.io namespaces',
            'spec.flexVolume.options[Kubernetes.io]: Invalid value: "Kubernetes.io": kubernetes.io and k8s.io',
            'spec.flexVolume.options[a.k8s.io/b]: Invalid value: "a.k8s.io/b": kubernetes.io and k8s.io',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(azureFile={"secretNamespace": ""}),
        [
            "spec.azureFile.secretName: Required value",
            "spec.azureFile.secretNamespace: Required value",
            "spec.azureFile.shareName: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(azureDisk={"cachingMode": "All", "kind": "Floppy"}),
        [
            'spec.azureDisk.cachingMode: Unsupported value: "All": supported values: "None", "ReadOnly", "ReadWrite"',
            "spec.azureDisk.diskName: Required value",
            "spec.azureDisk.diskURI: Required value",
            'spec.azureDisk.diskURI: Unsupported value: "": supported values:',
            'spec.azureDisk.kind: Unsupported value: "Floppy": supported values: "Dedicated", "Managed", "Shared"',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(azureDisk={"diskName": "d", "diskURI": "u", "kind": "Managed", "cachingMode": ""}),
        [
            'spec.azureDisk.cachingMode: Unsupported value: "": supported values: "None", "ReadOnly", "ReadWrite"',
            'spec.azureDisk.diskURI: Unsupported value: "u": supported values:',
        ],
    ),
    (kinds.PERSISTENT_VOLUME, source(vsphereVolume={}), ["spec.vsphereVolume.volumePath: Required value"]),
    (kinds.PERSISTENT_VOLUME, source(photonPersistentDisk={}), ["spec.photonPersistentDisk.pdID: Required value"]),
    (kinds.PERSISTENT_VOLUME, source(portworxVolume={}), ["spec.portworxVolume.volumeID: Required value"]),
    (
        kinds.PERSISTENT_VOLUME,
        source(scaleIO={}),
        [
            "spec.scaleIO.gateway: Required value",
            "spec.scaleIO.system: Required value",
            "spec.scaleIO.volumeName: Required value",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(storageos={"volumeNamespace": "a.b", "secretRef": {}}),
        [
            "spec.storageos.secretRef.name: Required value",
            "spec.storageos.secretRef.namespace: Required value",
            "spec.storageos.volumeName: Required value",
            'spec.storageos.volumeNamespace: Invalid value: "a.b": must not contain dots',
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        source(storageos={"volumeName": "A"}),
        ['spec.storageos.volumeName: Invalid value: "A": a lowercase RFC 1123 label must consist of lower'],
    ),
]

UPDATE: list[tuple[Kind, str, Document, Document, Verdict]] = [
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {},
        {"spec/csi/volumeHandle": "i"},
        ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
    ),
    (kinds.PERSISTENT_VOLUME, "", {}, {"spec/csi/controllerExpandSecretRef": SECRET}, []),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/csi/controllerExpandSecretRef": SECRET},
        {"spec/csi/controllerExpandSecretRef": None},
        ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {},
        source(nfs={"server": "s", "path": "/"}),
        ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {},
        {"spec/volumeMode": "Block"},
        ['volumeMode: Invalid value: "Block": field is immutable'],
    ),
    (kinds.PERSISTENT_VOLUME, "", {}, {"spec/volumeAttributesClassName": "gold"}, []),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/volumeAttributesClassName": "gold"},
        {"spec/volumeAttributesClassName": None},
        ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"],
    ),
    (kinds.PERSISTENT_VOLUME, "", {}, {"spec/nodeAffinity": PLACES}, []),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/nodeAffinity": PLACES},
        {"spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/key": "kubernetes.io/os"},
        [],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/nodeAffinity": PLACES},
        {"spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/key": "kubernetes.io/arch"},
        ["nodeAffinity: Invalid value:"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/nodeAffinity": PLACES},
        {"spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values": ["windows"]},
        ["nodeAffinity: Invalid value:"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/nodeAffinity": PLACES},
        {"spec/nodeAffinity": None},
        ["nodeAffinity: Invalid value: null: field is immutable, except for updating from beta label to GA"],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/nodeAffinity": PLACES},
        {"spec/nodeAffinity": {}},
        [
            "nodeAffinity: Invalid value: {}: field is immutable, except for updating from beta label to GA",
            "spec.nodeAffinity.required: Required value: must specify required node constraints",
        ],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {},
        {
            "spec/claimRef": {"name": "c"},
            "spec/capacity/storage": "3Gi",
            "spec/persistentVolumeReclaimPolicy": "Delete",
            "spec/storageClassName": "other",
        },
        [],
    ),
]


test_the_good_ones_are_good, test_create, test_update = judged(GOOD, CREATE, UPDATE)
