"""The proxy's numbers, under the names that upstream's dashboards and alerts know, and a few of our own."""

from collections.abc import Iterable

from kit.metrics import Metrics

FAMILY_NAMES = {4: "IPv4", 6: "IPv6"}
_SYNC = tuple(0.001 * 2**power for power in range(15))
_PROGRAMMING = (
    0.25, 0.5, *(float(second) for second in range(1, 60)), *(float(second) for second in range(60, 120, 5)),
    *(float(second) for second in range(120, 301, 30)),
)  # fmt: skip
_CHANGE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class ProxyMetrics:
    """Every metric of the proxy, with its children kept: looking one up costs more than counting."""

    def __init__(self, metrics: Metrics) -> None:
        family = ("ip_family",)
        prefix = "kubeproxy_sync_proxy_rules_"
        self.registry = metrics
        self._sync = metrics.histogram(f"{prefix}duration_seconds", "Seconds to program rules", family, _SYNC)
        self._full = metrics.histogram(
            "kubeproxy_sync_full_proxy_rules_duration_seconds", "Seconds to program all rules anew", family, _SYNC
        )
        self._partial = metrics.histogram(
            "kubeproxy_sync_partial_proxy_rules_duration_seconds", "Seconds to program changed rules", family, _SYNC
        )
        self._last = metrics.gauge(f"{prefix}last_timestamp_seconds", "When rules were last programmed", family)
        self._queued = metrics.gauge(
            f"{prefix}last_queued_timestamp_seconds", "When programming was last asked for", family
        )
        self._programming = metrics.histogram(
            "kubeproxy_network_programming_duration_seconds",
            "Seconds from a pod's change to programmed rules",
            family,
            _PROGRAMMING,
        )
        self.endpoint_changes = metrics.counter(f"{prefix}endpoint_changes", "EndpointSlice changes seen")
        self.endpoint_pending = metrics.gauge(
            f"{prefix}endpoint_changes_pending", "EndpointSlice changes not yet programmed"
        )
        self.service_changes = metrics.counter(f"{prefix}service_changes", "Service changes seen")
        self.service_pending = metrics.gauge(f"{prefix}service_changes_pending", "Service changes not yet programmed")
        self._failures = {
            "nftables": metrics.counter(f"{prefix}nftables_sync_failures", "Failures to program nftables", family),
            "iptables": metrics.counter(f"{prefix}iptables_restore_failures", "Failures to program iptables", family),
        }
        self._no_local = metrics.gauge(
            f"{prefix}no_local_endpoints_total", "Service ports with a Local policy and no endpoint here",
            ("traffic_policy", *family),
        )  # fmt: skip
        self._iptables_total = metrics.gauge(
            f"{prefix}iptables_total", "Rules in our iptables chains", ("table", *family)
        )
        self._iptables_last = metrics.gauge(
            f"{prefix}iptables_last", "Rules written by the last change", ("table", *family)
        )
        self.healthz = metrics.counter("kubeproxy_proxy_healthz", "Answers of /healthz", ("code",))
        self.livez = metrics.counter("kubeproxy_proxy_livez", "Answers of /livez", ("code",))
        self.flows_deleted = metrics.counter(
            "kubeproxy_conntrack_reconciler_deleted_entries", "Stale flows deleted", family
        )
        self.flows_seconds = metrics.histogram(
            "kubeproxy_conntrack_reconciler_sync_duration_seconds",
            "Seconds to find and delete stale flows",
            family,
            _SYNC,
        )
        self.change = metrics.histogram(
            "wherry_proxy_change_duration_seconds",
            "Seconds from an event's arrival to the kernel's acknowledgement",
            (),
            _CHANGE,
        )
        self.repairs = metrics.counter(
            "wherry_proxy_repairs", "Times that damaged rules were written anew", ("reason",)
        )
        self.conflicts = metrics.gauge("wherry_proxy_conflicts", "Frontends that more than one Service asks for")

    def queued(self, families: Iterable[int], now: float) -> None:
        """Programming was asked for."""
        for family in families:
            self._queued.labels(FAMILY_NAMES[family]).set(now)

    def synced(self, families: Iterable[int], seconds: float, now: float, *, full: bool) -> None:
        """Rules were programmed."""
        for family in families:
            name = FAMILY_NAMES[family]
            self._sync.labels(name).observe(seconds)
            (self._full if full else self._partial).labels(name).observe(seconds)
            self._last.labels(name).set(now)

    def programmed(self, family: int, seconds: float) -> None:
        """A change that was made that long ago is in the kernel."""
        self._programming.labels(FAMILY_NAMES[family]).observe(max(seconds, 0.0))

    def failed(self, backend: str, families: Iterable[int]) -> None:
        """The kernel refused."""
        for family in families:
            if backend in self._failures:
                self._failures[backend].labels(FAMILY_NAMES[family]).inc()

    def no_local_endpoints(self, policy: str, family: int, count: int) -> None:
        """How many service ports have a Local policy and nothing here."""
        self._no_local.labels(policy, FAMILY_NAMES[family]).set(count)

    def iptables_rules(self, table: str, family: int, count: int, written: int) -> None:
        """How many rules of ours a table has, and how many of them were written just now."""
        self._iptables_total.labels(table, FAMILY_NAMES[family]).set(count)
        self._iptables_last.labels(table, FAMILY_NAMES[family]).set(written)
