"""What the configuration means for each part of the agent. What is wrong with it is told as a ConfigError."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from api import quantity
from kit.clock import Clock
from kit.config import ConfigError
from linux.cgroup import Cgroups, Limits, limits_swap
from nodeagent.config import Config
from nodeagent.plan import qos
from nodeagent.plan.admission import NodeView
from nodeagent.plan.images import ImagePolicy
from nodeagent.plan.pressure import BadThreshold, read_thresholds
from nodeagent.plan.reserved import Reserved, overdrawn
from nodeagent.plan.rotation import RotationPolicy
from nodeagent.plan.shutdown import Share, shares_of
from nodeagent.render.settings import NodeSettings
from nodeagent.report.facts import MachineFacts
from nodeagent.report.groups import TimedCgroups
from nodeagent.report.node_status import NodeIdentity, initial_node
from nodeagent.report.tally import Tally
from nodeagent.sync.cgroups import Cgroupfs, Driver, PodCgroups, Systemd
from nodeagent.upkeep.eviction import EvictionPolicy

UNUSABLE = "cannot use the agent's configuration"


def reserved_by(config: Config) -> Reserved:
    """What pods do not get of the machine. Raises ConfigError."""
    eviction_policy(config)  # what eviction keeps free is not theirs either, so it must be good
    for field, given in (("kube", config.reserved.kube), ("system", config.reserved.system)):
        for name, text in given.items():
            _amount(f"reserved.{field}.{name}", text)
    return Reserved(config.reserved.kube, config.reserved.system, config.eviction.hard)


def with_reserved(config: Config, machine: MachineFacts) -> MachineFacts:
    """The machine, with what pods do not get of it. Raises ConfigError."""
    reserved, capacity = reserved_by(config), machine.capacity(config.max_pods)
    for name in overdrawn(capacity, reserved):
        raise ConfigError(f"{UNUSABLE}: field reserved: more {name} than the {capacity[name]} that the node has")
    return replace(machine, reserved=reserved)


def image_policy(config: Config) -> ImagePolicy:
    """When unused images go."""
    given = config.image_gc
    return ImagePolicy(given.high_percent, given.low_percent, given.minimum_age, given.maximum_age)


def rotation_policy(config: Config) -> RotationPolicy:
    """When logs are rotated. Raises ConfigError."""
    size, files = _amount("containerLogMaxSize", config.container_log_max_size), config.container_log_max_files
    if size < 1:
        raise ConfigError(f"{UNUSABLE}: field containerLogMaxSize: it must be more than 0")
    if files < 2:
        raise ConfigError(f"{UNUSABLE}: field containerLogMaxFiles: it must be at least 2")
    return RotationPolicy(size, files)


def eviction_policy(config: Config) -> EvictionPolicy:
    """When pods have to go. Raises ConfigError."""
    given = config.eviction
    try:
        thresholds = read_thresholds(given.hard, given.soft, given.soft_grace_period, given.minimum_reclaim)
    except BadThreshold as error:
        raise ConfigError(f"{UNUSABLE}: field eviction: {error}") from error
    return EvictionPolicy(tuple(thresholds), given.max_pod_grace_period, given.pressure_transition_period)


def _amount(field: str, text: str) -> int:
    try:
        return quantity.ceil(text)
    except quantity.QuantityError as error:
        raise ConfigError(f"{UNUSABLE}: field {field}: {error}") from error


def pod_cgroups(config: Config, cgroups: Cgroups, machine: MachineFacts, clock: Clock, tally: Tally) -> PodCgroups:
    """The control groups of pods, which together may have all that is not reserved."""
    held = (config.reserved.kube, config.reserved.system)
    memory = machine.memory - sum(quantity.ceil(given.get("memory", "0")) for given in held)
    cpu = 1000 * machine.cpus - sum(quantity.milli(given.get("cpu", "0")) for given in held)
    driver: Driver = Cgroupfs()
    if config.cgroup_driver == "systemd":
        from linux.slices import SliceCgroups  # when they are wanted

        cgroups, driver = SliceCgroups(cgroups.version), Systemd()
    whole = Limits(qos.shares_of(cpu), memory=memory)
    timed = TimedCgroups(cgroups, clock, tally.group_seconds.add)
    return PodCgroups(timed, config.cgroup_root, driver, whole, config.pod_pids_limit)


def shutdown_shares(config: Config) -> tuple[Share, ...]:
    """Who has how long when the machine goes down."""
    wished = config.shutdown
    if wished.by_priority:
        return tuple(Share(one.priority, one.seconds) for one in wished.by_priority)
    return shares_of(wished.period, wished.critical)


def node_view(config: Config, machine: MachineFacts, allocatable: Mapping[str, str]) -> NodeView:
    """The node as admission sees it until its object is known."""
    try:
        apparmor = Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        apparmor = False
    labels = initial_node(NodeIdentity(config.node_name, (), 0, config.max_pods, machine)).metadata.labels
    return NodeView(config.node_name, allocatable, labels, apparmor=apparmor, allowed_sysctls=config.allowed_sysctls)


def node_settings(config: Config, machine: MachineFacts, cgroup_version: int) -> NodeSettings:
    """The node, as far as pods can tell."""
    return NodeSettings(
        name=config.node_name,
        host_ips=tuple(a.strip() for a in config.node_address.split(",") if a.strip()),
        root_dir=config.root_dir,
        pod_logs=config.pod_logs,
        memory_capacity=machine.memory,
        allocatable=machine.allocatable(config.max_pods),
        cluster_dns=tuple(config.cluster_dns),
        cluster_domain=config.cluster_domain,
        seccomp_default=config.seccomp_default,
        unified=qos.unified_files(limits_swap()) if cgroup_version == 2 else {},
    )
