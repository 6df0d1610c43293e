"""What the agent tells of itself as JSON: pods as they should be, pods as they run, its configuration. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from api import codec
from api.core_v1 import Container, Pod, PodSpec
from api.meta_v1 import ObjectMeta
from nodeagent.config import Config
from nodeagent.cri.port import Owned
from nodeagent.model.seen import PodRef, SeenContainer

# What upstream lets people choose and is as it is here.
FIXED: Mapping[str, Any] = {
    "cgroupsPerQOS": True,
    "containerLogMaxWorkers": 1,
    "contentType": "application/json",
    "cpuCFSQuotaPeriod": "100ms",
    "enableDebugFlagsHandler": False,
    "enableProfilingHandler": False,
    "enableSystemLogQuery": False,
    "hairpinMode": "hairpin-veth",
    "imagePullCredentialsVerificationPolicy": "NeverVerify",
    "makeIPTablesUtilChains": False,
    "memorySwap": {},
    "mergeDefaultEvictionSettings": False,
    "runtimeRequestTimeout": "2m0s",
    "syncFrequency": "1m0s",
    "configMapAndSecretChangeDetectionStrategy": "Watch",
    "containerLogMonitorInterval": "10s",
    "cpuCFSQuota": True,
    "cpuManagerPolicy": "none",
    "enableControllerAttachDetach": True,
    "failCgroupV1": False,
    "failSwapOn": False,
    "localStorageCapacityIsolation": True,
    "memoryManagerPolicy": "None",
    "nodeStatusMaxImages": 50,
    "topologyManagerPolicy": "none",
    "topologyManagerScope": "container",
    "volumeStatsAggPeriod": "1m0s",
}


def pod_list(pods: Iterable[Pod]) -> bytes:
    """All pods as the API would list them."""
    return b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[' + b",".join(map(codec.encode, pods)) + b"]}"


def running_pods(containers: Iterable[Owned[SeenContainer]]) -> bytes:
    """What runs, as far as the runtime alone can tell."""
    found: dict[PodRef, list[Container]] = {}
    for owned in containers:
        if owned.thing.running and owned.pod.uid:
            image = owned.thing.image_ref or owned.thing.image
            found.setdefault(owned.pod, []).append(Container(name=owned.thing.name, image=image))
    return pod_list(
        Pod(
            metadata=ObjectMeta(name=ref.name, namespace=ref.namespace, uid=ref.uid),
            spec=PodSpec(containers=containers),
        )
        for ref, containers in found.items()
    )


def configuration(config: Config) -> bytes:
    """The agent's configuration, in upstream's names as far as it has some for it."""
    access, reserved = config.access, config.reserved
    told: dict[str, Any] = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "staticPodPath": config.static_pod_path,
        "address": config.listen.rpartition(":")[0],
        "port": int(config.listen.rpartition(":")[2]),
        "tlsCertFile": config.pki.cert,
        "tlsPrivateKeyFile": config.pki.key,
        "authentication": {
            "x509": {"clientCAFile": config.pki.client_ca},
            "webhook": {"enabled": bool(config.kubeconfig), "cacheTTL": f"{access.token_seconds:g}s"},
            "anonymous": {"enabled": access.anonymous},
        },
        "authorization": {
            "mode": "AlwaysAllow" if access.allow_all else "Webhook",
            "webhook": {
                "cacheAuthorizedTTL": f"{access.allowed_seconds:g}s",
                "cacheUnauthorizedTTL": f"{access.denied_seconds:g}s",
            },
        },
        "healthzPort": int(config.healthz.rpartition(":")[2]),
        "healthzBindAddress": config.healthz.rpartition(":")[0],
        "clusterDomain": config.cluster_domain,
        "clusterDNS": list(config.cluster_dns),
        "nodeStatusUpdateFrequency": "10s",
        "nodeStatusReportFrequency": "5m0s",
        "nodeLeaseDurationSeconds": 40,
        "imageMinimumGCAge": f"{config.image_gc.minimum_age:g}s",
        "imageMaximumGCAge": f"{config.image_gc.maximum_age:g}s",
        "imageGCHighThresholdPercent": config.image_gc.high_percent,
        "imageGCLowThresholdPercent": config.image_gc.low_percent,
        "cgroupRoot": config.cgroup_root or "/",
        "cgroupDriver": config.cgroup_driver,
        "maxPods": config.max_pods,
        "podCIDR": config.own_pod_cidr,
        "resolvConf": config.resolv_conf,
        "containerLogMaxSize": config.container_log_max_size,
        "containerLogMaxFiles": config.container_log_max_files,
        "serializeImagePulls": config.parallel_pulls == 1,
        "maxParallelImagePulls": config.parallel_pulls,
        "enableServer": True,
        "enableDebuggingHandlers": True,
        "enableSystemLogHandler": bool(config.system_logs),
        "systemReserved": dict(reserved.system),
        "kubeReserved": dict(reserved.kube),
        "evictionHard": dict(config.eviction.hard),
        "evictionSoft": dict(config.eviction.soft),
        "evictionSoftGracePeriod": {k: f"{v:g}s" for k, v in config.eviction.soft_grace_period.items()},
        "evictionMinimumReclaim": dict(config.eviction.minimum_reclaim),
        "evictionMaxPodGracePeriod": config.eviction.max_pod_grace_period,
        "evictionPressureTransitionPeriod": f"{config.eviction.pressure_transition_period:g}s",
        "podPidsLimit": config.pod_pids_limit or -1,
        "crashLoopBackOff": {"maxContainerRestartPeriod": f"{config.crash_loop.most:g}s"},
        "podLogsDir": config.pod_logs,
        "seccompDefault": config.seccomp_default,
        "allowedUnsafeSysctls": list(config.allowed_sysctls),
        "shutdownGracePeriod": f"{config.shutdown.period}s",
        "shutdownGracePeriodCriticalPods": f"{config.shutdown.critical}s",
        "readOnlyPort": int(config.read_only.rpartition(":")[2] or 0),
        "registerNode": bool(config.kubeconfig),
        "containerRuntimeEndpoint": config.runtime_endpoint,
    }
    return msgspec.json.encode({"kubeletconfig": {**told, **FIXED}})
