"""Rules for slices of a pool: devices of a driver, where they can be reached, and counters that they share."""

from api import names
from api.resource_v1 import Counter, CounterSet, Device, DeviceCounterConsumption, ResourceSlice, ResourceSliceSpec
from api.validation import device_names, scheduling
from api.validation.device_attributes import attribute
from api.validation.device_capacities import capacity
from api.validation.device_requests import unique
from api.validation.device_taints import binding_conditions, taints
from api.validation.problems import Problems

_MOST_DEVICES, _MOST_COMPLEX_DEVICES, _MOST_SETS, _MOST_COUNTERS, _MOST_CONSUMPTIONS = 128, 64, 8, 32, 2
_MOST_ATTRIBUTES = 32
_ONE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_ONE_OF_DEVICE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
_NONE_OF_DEVICE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)


def resource_slice(found: Problems, obj: ResourceSlice) -> None:
    """A ResourceSlice."""
    spec = obj.spec
    device_names.driver(found, "spec.driver", spec.driver)
    device_names.pool(found, "spec.pool.name", spec.pool.name)
    if spec.pool.resource_slice_count <= 0:
        found.invalid("spec.pool.resourceSliceCount", spec.pool.resource_slice_count, "must be greater than zero")
    if spec.pool.generation < 0:
        found.invalid("spec.pool.generation", spec.pool.generation, "must be greater than or equal to zero")
    _nodes(found, spec)
    if spec.shared_counters and spec.devices:
        found.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    most = _MOST_COMPLEX_DEVICES if any(map(_is_complex, spec.devices)) else _MOST_DEVICES
    if len(spec.devices) > most:
        found.too_many("spec.devices", len(spec.devices), most)
    else:
        for index, device in enumerate(spec.devices):
            _device(found, f"spec.devices[{index}]", device, bool(spec.per_device_node_selection))
        unique(found, "spec.devices", [device.name for device in spec.devices])
    if len(spec.shared_counters) > _MOST_SETS:
        found.too_many("spec.sharedCounters", len(spec.shared_counters), _MOST_SETS)
    else:
        for index, counters in enumerate(spec.shared_counters):
            _counter_set(found, f"spec.sharedCounters[{index}]", counters)
        unique(found, "spec.sharedCounters", [counters.name for counters in spec.shared_counters])


def slice_changed(found: Problems, new: ResourceSlice, old: ResourceSlice) -> None:
    """What makes a slice that slice."""
    for field, after, before in (
        ("pool.name", new.spec.pool.name, old.spec.pool.name),
        ("driver", new.spec.driver, old.spec.driver),
        ("nodeName", new.spec.node_name, old.spec.node_name),
    ):
        found.immutable(f"spec.{field}", after, before)


def _nodes(found: Problems, spec: ResourceSliceSpec) -> None:
    given = []
    if spec.node_name == "":
        found.invalid("spec.nodeName", "", "must be either unset or set to a non-empty string")
    elif spec.node_name is not None:
        given.append("`nodeName`")
        found.invalid_all("spec.nodeName", spec.node_name, names.dns_subdomain(spec.node_name))
    if spec.node_selector is not None:
        given.append("`nodeSelector`")
        scheduling.node_selector(found, "spec.nodeSelector", spec.node_selector)
        terms = spec.node_selector.node_selector_terms
        if len(terms) != 1:
            path = "spec.nodeSelector.nodeSelectorTerms"
            found.invalid(path, terms, "must have exactly one node selector term")
    for field, value in (("allNodes", spec.all_nodes), ("perDeviceNodeSelection", spec.per_device_node_selection)):
        if value:
            given.append(f"`{field}`")
        elif value is not None:
            found.invalid(f"spec.{field}", value, "must be either unset or set to true")
    if not given:
        found.required("spec", _ONE)
    elif len(given) > 1:
        found.invalid("spec", f"{{{', '.join(given)}}}", f"{_ONE}, but multiple fields are set")


def _is_complex(device: Device) -> bool:
    """Whether more than the usual must be kept in mind of a device."""
    return bool(device.taints or device.consumes_counters)


def _device(found: Problems, path: str, device: Device, chooses: bool) -> None:
    device_names.label(found, f"{path}.name", device.name)
    total = len(device.attributes) + len(device.capacity)
    if total > _MOST_ATTRIBUTES:
        detail = f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES}"
        found.invalid(path, total, detail)
    device_names.keys(found, f"{path}.attributes", device.attributes, device_names.qualified)
    for key, value in device.attributes.items():
        attribute(found, device_names.at_key(f"{path}.attributes", key), value)
    device_names.keys(found, f"{path}.capacity", device.capacity, device_names.qualified)
    for key, item in device.capacity.items():
        shared = bool(device.allow_multiple_allocations)
        capacity(found, device_names.at_key(f"{path}.capacity", key), item, shared)
    taints(found, f"{path}.taints", device.taints)
    if len(device.consumes_counters) > _MOST_CONSUMPTIONS:
        found.too_many(f"{path}.consumesCounters", len(device.consumes_counters), _MOST_CONSUMPTIONS)
    else:
        for index, consumption in enumerate(device.consumes_counters):
            _consumption(found, f"{path}.consumesCounters[{index}]", consumption)
        unique(found, f"{path}.consumesCounters", [one.counter_set for one in device.consumes_counters])
    _nodes_of_device(found, path, device, chooses)
    binding_conditions(found, path, device.binding_conditions, device.binding_failure_conditions)


def _nodes_of_device(found: Problems, path: str, device: Device, chooses: bool) -> None:
    if not chooses:
        if any(choice is not None for choice in (device.node_name, device.node_selector, device.all_nodes)):
            found.invalid(path, None, _NONE_OF_DEVICE)
        return
    given = []
    if device.node_name == "":
        found.invalid(f"{path}.nodeName", "", "must not be empty")
    elif device.node_name is not None:
        given.append("`nodeName`")
        found.invalid_all(f"{path}.nodeName", device.node_name, names.dns_subdomain(device.node_name))
    if device.node_selector is not None:
        given.append("`nodeSelector`")
        scheduling.node_selector(found, f"{path}.nodeSelector", device.node_selector)
    if device.all_nodes:
        given.append("`allNodes`")
    elif device.all_nodes is not None:
        found.invalid(f"{path}.allNodes", False, "must be either unset or set to true")
    if not given:
        found.required(path, _ONE_OF_DEVICE)
    elif len(given) > 1:
        found.invalid(path, f"{{{', '.join(given)}}}", _ONE_OF_DEVICE)


def _counter_set(found: Problems, path: str, item: CounterSet) -> None:
    _counter_set_name(found, f"{path}.name", item.name)
    _counters(found, f"{path}.counters", item.counters)


def _consumption(found: Problems, path: str, item: DeviceCounterConsumption) -> None:
    _counter_set_name(found, f"{path}.counterSet", item.counter_set)
    _counters(found, f"{path}.counters", item.counters)


def _counter_set_name(found: Problems, path: str, name: str) -> None:
    if not name:
        found.required(path)
    else:
        device_names.label(found, path, name)


def _counters(found: Problems, path: str, counters: dict[str, Counter]) -> None:
    if not counters:
        found.required(path)
    elif len(counters) > _MOST_COUNTERS:
        found.too_many(path, len(counters), _MOST_COUNTERS)
    else:
        device_names.keys(found, path, counters, device_names.label)
