"""All that an agent counts while it works, under the names that upstream's dashboards and alerts ask for.

What can be read off the agent's state is not counted: `nodeagent/server/census.py` reads it when somebody asks.
"""

from collections.abc import Iterable

from nodeagent.report.measures import BETA, Counter, Histogram, Measure

# Upstream's buckets.
CALLS = tuple(0.005 * 2.5**n for n in range(14))
STARTS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)
PULLS = (1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)
REPORTS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 45, 60)
RESIZES = (10, 50, 100, 500, 1000, 2000, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000)
REQUESTS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
STORAGE = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600)
SIZES = (
    *((10 << 20, "0-10MB"), (100 << 20, "10MB-100MB"), (500 << 20, "100MB-500MB"), (1 << 30, "500MB-1GB")),
    *((5 << 30, "1GB-5GB"), (10 << 30, "5GB-10GB"), (20 << 30, "10GB-20GB"), (30 << 30, "20GB-30GB")),
    *((40 << 30, "30GB-40GB"), (60 << 30, "40GB-60GB"), (100 << 30, "60GB-100GB")),
)
# Reasons that are told as they are; others may be as many as somebody likes.
REJECTIONS = frozenset(
    (
        *("AppArmor", "Evicted", "NodeShutdown", "OutOfcpu", "OutOfephemeral-storage", "OutOfmemory", "OutOfpods"),
        *("PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch", "SupplementalGroupsPolicyNotSupported"),
        *("SysctlForbidden", "UnexpectedAdmissionError"),
    )
)


class Tally:
    """The fields by what they are about."""

    def __init__(self) -> None:
        self._runtime()
        self._pods()
        self._containers()
        self._node()
        self._api_server()

    def _runtime(self) -> None:
        self.calls = Counter("kubelet_runtime_operations_total", "Calls to the runtime.", "operation_type")
        self.call_errors = Counter("kubelet_runtime_operations_errors_total", "Calls that failed.", "operation_type")
        name, text = "kubelet_runtime_operations_duration_seconds", "How long calls to the runtime took."
        self.call_seconds = Histogram(name, text, "operation_type", bounds=CALLS)
        name = "kubelet_pleg_relist_duration_seconds"
        self.relist_seconds = Histogram(name, "How long listing everything in the runtime took.")
        name = "kubelet_pleg_relist_interval_seconds"
        text = "From one such listing to the next; events of the runtime make it a rare thing."
        self.relist_interval = Histogram(name, text)
        name = "kubelet_pleg_pod_relist_duration_seconds"
        self.look_seconds = Histogram(name, "How long looking at one pod in the runtime took.")
        text = "When everything in the runtime was last listed, in seconds since 1970."
        self.relisted = Counter("kubelet_pleg_last_seen_seconds", text, kind="gauge")
        name = "kubelet_evented_pleg_connection_success_count"
        self.streams = Counter(name, "Times the runtime's events were subscribed to.")
        name = "kubelet_evented_pleg_connection_error_count"
        self.stream_errors = Counter(name, "Times the runtime's events were lost.")
        self.orphans = Counter("kubelet_orphaned_runtime_pods_total", "Pods found in the runtime that nobody wants.")

    def _pods(self) -> None:
        self.steps = Histogram("kubelet_pod_worker_duration_seconds", "How long rounds of pods took.", "operation_type")
        name = "kubelet_pod_worker_start_duration_seconds"
        self.worker_start = Histogram(name, "From hearing of a pod to its first round.")
        name, text = "kubelet_pod_start_duration_seconds", "From hearing of a pod to the pod running."
        self.pod_start = Histogram(name, text, bounds=STARTS)
        name = "kubelet_pod_start_total_duration_seconds"
        text = "From the creation of a pod to the API server showing it as running."
        self.pod_start_total = Histogram(name, text, bounds=STARTS)
        name = "kubelet_pod_start_sli_duration_seconds"
        text = "The same without pulling images and running init containers, for pods without lasting volumes."
        self.pod_start_sli = Histogram(name, text, bounds=STARTS)
        name = "kubelet_pod_status_sync_duration_seconds"
        text = "From a change of a pod's status to the API server knowing it."
        self.report_seconds = Histogram(name, text, bounds=REPORTS)
        name, text = "kubelet_containers_per_pod_count", "Containers in pods."
        self.containers_per_pod = Histogram(name, text, bounds=(1, 2, 4, 8, 16))
        name = "kubelet_run_podsandbox_duration_seconds"
        self.sandbox_seconds = Histogram(name, "How long making sandboxes took.", "runtime_handler")
        name = "kubelet_run_podsandbox_errors_total"
        self.sandbox_errors = Counter(name, "Sandboxes that could not be made.", "runtime_handler")
        self.pods_started = Counter("kubelet_started_pods_total", "Pods of which a sandbox was asked for.")
        name = "kubelet_started_pods_errors_total"
        self.pods_not_started = Counter(name, "Pods whose sandbox could not be made.")
        name = "kubelet_started_user_namespaced_pods_total"
        self.mapped_pods_started = Counter(name, "Those of them that have users of their own.")
        name = "kubelet_started_user_namespaced_pods_errors_total"
        self.mapped_pods_not_started = Counter(name, "Those of them that have users of their own and failed.")
        name = "kubelet_admission_rejections_total"
        self.rejections = Counter(name, "Pods that the node refused, by reason.", "reason")
        name, text = "kubelet_restarted_pods_total", "Pods begun again with the uid of one that ended."
        self.restarted = Counter(name, text, "static")
        self.restarted.set(0, "")
        self.restarted.set(0, "true")
        name, text = "kubelet_container_requested_resizes_total", "Changes of resources that were asked for."
        self.resizes = Counter(name, text, "operation", "requirement", "resource")
        name, text = "kubelet_pod_resize_duration_milliseconds", "How long giving pods other resources took."
        self.resize_milliseconds = Histogram(name, text, "success", bounds=RESIZES)

    def _containers(self) -> None:
        name = "kubelet_started_containers_total"
        self.containers_started = Counter(name, "Containers that were to be started.", "container_type")
        name, text = "kubelet_started_containers_errors_total", "Containers that could not be started."
        self.containers_not_started = Counter(name, text, "code", "container_type")
        name, text = "kubelet_terminated_containers_total", "Containers that ended."
        self.containers_ended = Counter(name, text, "container_type", "exit_code", "reason")
        name, text = "kubelet_image_pull_duration_seconds", "How long pulling images took, by their size."
        self.pull_seconds = Histogram(name, text, "image_size_in_bytes", bounds=PULLS)
        name, text = "kubelet_image_manager_ensure_image_requests_total", "Images that containers wanted."
        self.images_wanted = Counter(name, text, "present_locally", "pull_policy", "pull_required")
        name, text = "kubelet_image_garbage_collected_total", "Images removed, because of their age or for space."
        self.images_removed = Counter(name, text, "reason")
        name = "kubelet_image_volume_requested_total"
        self.image_volumes = Counter(name, "Images wanted as volumes.", stage=BETA)
        name = "kubelet_image_volume_mounted_succeed_total"
        self.image_volumes_mounted = Counter(name, "Images mounted as volumes.", stage=BETA)
        name = "kubelet_image_volume_mounted_errors_total"
        self.image_volumes_failed = Counter(name, "Images that could not be mounted.", stage=BETA)
        name = "kubelet_lifecycle_handler_http_fallbacks_total"
        self.plain_hooks = Counter(name, "Hooks whose server was to speak TLS, and did not.")
        name = "kubelet_sleep_action_terminated_early_total"
        self.sleeps_cut = Counter(name, "Hooks that were to sleep for longer than the pod had.")

    def _node(self) -> None:
        self.evictions = Counter("kubelet_evictions", "Pods evicted, by signal.", "eviction_signal")
        text = "Pods that had to go for a critical one, by the resource that it lacked."
        self.preemptions = Counter("kubelet_preemptions", text, "preemption_signal")
        name, text = "kubelet_eviction_stats_age_seconds", "How old the numbers were by which a pod was evicted."
        self.eviction_age = Histogram(name, text, "eviction_signal")
        name = "kubelet_cgroup_manager_duration_seconds"
        self.group_seconds = Histogram(name, "How long work on control groups took.", "operation_type")
        labels = ("migrated", "operation_name", "status", "volume_plugin")
        name, text = "storage_operation_duration_seconds", "How long work on volumes took."
        self.storage_seconds = Histogram(name, text, *labels, bounds=STORAGE)
        name = "kubelet_volume_metric_collection_duration_seconds"
        self.measuring_seconds = Histogram(name, "How long measuring a volume took.", "metric_source")
        name, text = "kubelet_graceful_shutdown_start_time_seconds", "When the machine last began to go down."
        self.going_down = Counter(name, text, kind="gauge")
        name, text = "kubelet_graceful_shutdown_end_time_seconds", "When its pods had ended then."
        self.gone_down = Counter(name, text, kind="gauge")
        name, text = (
            "kubelet_orphan_pod_cleaned_volumes",
            "Pods with volumes that the last sweep found and nobody wants.",
        )
        self.swept = Counter(name, text, kind="gauge")
        name, text = "kubelet_orphan_pod_cleaned_volumes_errors", "Those of them that could not be removed."
        self.swept_errors = Counter(name, text, kind="gauge")
        labels = ("long_running", "method", "path", "server_type")
        self.served = Counter("kubelet_http_requests_total", "Requests to the agent.", *labels)
        name = "kubelet_http_inflight_requests"
        self.serving = Counter(name, "Requests that are being answered.", *labels, kind="gauge")
        name = "kubelet_http_requests_duration_seconds"
        self.served_seconds = Histogram(name, "How long answering took.", *labels)

    def _api_server(self) -> None:
        text = "Requests to the API server."
        self.requests = Counter("rest_client_requests_total", text, "code", "host", "method")
        name, text = "rest_client_request_duration_seconds", "How long they took."
        self.request_seconds = Histogram(name, text, "host", "verb", bounds=REQUESTS)

    def called(self, operation: str, seconds: float, failed: bool) -> None:
        """A call to the runtime has come back."""
        self.calls.add(operation)
        self.call_seconds.add(seconds, operation)
        if failed:
            self.call_errors.add(operation)

    def sandbox_made(self, handler: str, seconds: float, *, mapped: bool, failed: bool) -> None:
        """The runtime was asked for a sandbox; `mapped`: with users of its own."""
        self.sandbox_seconds.add(seconds, handler)
        self.pods_started.add()
        if mapped:
            self.mapped_pods_started.add()
        if failed:
            self.sandbox_errors.add(handler)
            self.pods_not_started.add()
            if mapped:
                self.mapped_pods_not_started.add()

    def evicted(self, signal: str, age: float) -> None:
        """A pod has to go, by numbers that are so old."""
        self.evictions.add(signal)
        self.eviction_age.add(age, signal)

    def rejected(self, reason: str) -> None:
        """The node refused a pod."""
        other = "OutOfExtendedResources" if reason.startswith("OutOf") else "Other"
        self.rejections.add(reason if reason in REJECTIONS else other)

    def asked(self, host: str, method: str, status: int, seconds: float) -> None:
        """The API server answered a request; a status of 0 if it did not."""
        self.requests.add(str(status) if status else "<error>", host, method)
        self.request_seconds.add(seconds, host, method)

    def stored(self, operation: str, plugin: str, seconds: float, ok: bool) -> None:
        """Something was done with a volume."""
        self.storage_seconds.add(seconds, "false", operation, "success" if ok else "fail-unknown", plugin)

    def measures(self) -> Iterable[Measure]:
        """All there are."""
        return vars(self).values()


def size_class(size: int) -> str:
    """What upstream calls images of about this size."""
    if not size:
        return "N/A"
    return next((name for most, name in SIZES if size <= most), "GT100GB")


def exposition(measures: Iterable[Measure]) -> bytes:
    """Everything there is to tell, by name."""
    lines = [line for one in sorted(measures, key=lambda m: m.name) for line in one.lines()]
    return "".join(f"{line}\n" for line in lines).encode()
