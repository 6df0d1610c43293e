"""resource.k8s.io/v1: devices, claims to them and their classes."""

from typing import Annotated

from api import choices
from api.core_v1 import NodeSelector
from api.fields import NOTHING, F, Int64, Json, Nothing, Quantity, Time, Type, constant, required
from api.meta_v1 import Condition, ObjectMeta


class CELDeviceSelector(Type):
    """An expression in CEL that must be true of a device."""

    expression: Annotated[str, F(1)] = required(str)


class DeviceSelector(Type):
    """One thing that devices must fulfil."""

    cel: Annotated[CELDeviceSelector | None, F(1)] = None


class OpaqueDeviceConfiguration(Type):
    """Parameters that only the driver understands."""

    driver: Annotated[str, F(1)] = required(str)
    parameters: Annotated[Json | Nothing, F(2)] = NOTHING


class DeviceClassConfiguration(Type):
    """How the devices of a class are set up."""

    opaque: Annotated[OpaqueDeviceConfiguration | None, F(1, 1)] = None


class DeviceClassSpec(Type):
    """Which devices belong to a class, and how they are set up."""

    selectors: Annotated[list[DeviceSelector], F(1, atomic=True)] = []
    config: Annotated[list[DeviceClassConfiguration], F(2, atomic=True)] = []
    extended_resource_name: Annotated[str | None, F(4, explicit=True)] = None


class DeviceClass(Type):
    """A sort of devices that pods can ask for."""

    kind: str = constant("DeviceClass")
    api_version: str = constant("resource.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[DeviceClassSpec, F(2)] = required(DeviceClassSpec)


class DeviceToleration(Type):
    """A taint of devices that does no harm here."""

    key: Annotated[str | None, F(1)] = None
    operator: Annotated[str | None, F(2, among=choices.DEVICE_OPERATORS)] = None
    value: Annotated[str | None, F(3)] = None
    effect: Annotated[str | None, F(4, among=choices.DEVICE_EFFECTS)] = None
    toleration_seconds: Annotated[Int64 | None, F(5, explicit=True)] = None


class CapacityRequirements(Type):
    """How much of a shared device's capacity is needed."""

    requests: Annotated[dict[str, Quantity], F(1)] = {}


class ExactDeviceRequest(Type):
    """Devices of one class: which, and how many."""

    device_class_name: Annotated[str, F(1)] = required(str)
    selectors: Annotated[list[DeviceSelector], F(2, atomic=True)] = []
    allocation_mode: Annotated[str | None, F(3, among=choices.ALLOCATION_MODES)] = None
    count: Annotated[Int64 | None, F(4)] = None
    admin_access: Annotated[bool | None, F(5, explicit=True)] = None
    tolerations: Annotated[list[DeviceToleration], F(6, atomic=True)] = []
    capacity: Annotated[CapacityRequirements | None, F(7)] = None


class DeviceSubRequest(Type):
    """One of the alternatives of a request."""

    name: Annotated[str, F(1)] = required(str)
    device_class_name: Annotated[str, F(2)] = required(str)
    selectors: Annotated[list[DeviceSelector], F(3, atomic=True)] = []
    allocation_mode: Annotated[str | None, F(4, among=choices.ALLOCATION_MODES)] = None
    count: Annotated[Int64 | None, F(5)] = None
    tolerations: Annotated[list[DeviceToleration], F(6, atomic=True)] = []
    capacity: Annotated[CapacityRequirements | None, F(7)] = None


class DeviceRequest(Type):
    """One or more devices, of exactly one sort or of the first that can be had."""

    name: Annotated[str, F(1)] = required(str)
    exactly: Annotated[ExactDeviceRequest | None, F(2)] = None
    first_available: Annotated[list[DeviceSubRequest], F(3, atomic=True)] = []


class DeviceConstraint(Type):
    """What the devices of some requests must have in common, or apart."""

    requests: Annotated[list[str], F(1, atomic=True)] = []
    match_attribute: Annotated[str | None, F(2, explicit=True)] = None
    distinct_attribute: Annotated[str | None, F(3, explicit=True)] = None


class DeviceClaimConfiguration(Type):
    """How the devices of some requests are set up."""

    requests: Annotated[list[str], F(1, atomic=True)] = []
    opaque: Annotated[OpaqueDeviceConfiguration | None, F(2, 1)] = None


class DeviceClaim(Type):
    """Requests for devices, what they have in common, and how they are set up."""

    requests: Annotated[list[DeviceRequest], F(1, atomic=True)] = required(list)
    constraints: Annotated[list[DeviceConstraint], F(2, atomic=True)] = []
    config: Annotated[list[DeviceClaimConfiguration], F(3, atomic=True)] = []


class ResourceClaimSpec(Type):
    """The devices that are asked for."""

    devices: Annotated[DeviceClaim, F(1)] = required(DeviceClaim)


class DeviceRequestAllocationResult(Type):
    """A device that was given for a request."""

    request: Annotated[str, F(1)] = required(str)
    driver: Annotated[str, F(2)] = required(str)
    pool: Annotated[str, F(3)] = required(str)
    device: Annotated[str, F(4)] = required(str)
    admin_access: Annotated[bool | None, F(5, explicit=True)] = None
    tolerations: Annotated[list[DeviceToleration], F(6, atomic=True)] = []
    binding_conditions: Annotated[list[str], F(7, atomic=True)] = []
    binding_failure_conditions: Annotated[list[str], F(8, atomic=True)] = []
    share_id: Annotated[str | None, F(9, explicit=True)] = None
    consumed_capacity: Annotated[dict[str, Quantity], F(10)] = {}


class DeviceAllocationConfiguration(Type):
    """How given devices are set up, and who asked for that."""

    source: Annotated[str, F(1, among=choices.CONFIGURATION_SOURCES)] = required(str)
    requests: Annotated[list[str], F(2, atomic=True)] = []
    opaque: Annotated[OpaqueDeviceConfiguration | None, F(3, 1)] = None


class DeviceAllocationResult(Type):
    """The devices that were given, and how they are set up."""

    results: Annotated[list[DeviceRequestAllocationResult], F(1, atomic=True)] = []
    config: Annotated[list[DeviceAllocationConfiguration], F(2, atomic=True)] = []


class AllocationResult(Type):
    """The devices that were given, and the nodes where they can be used."""

    devices: Annotated[DeviceAllocationResult, F(1)] = required(DeviceAllocationResult)
    node_selector: Annotated[NodeSelector | None, F(3)] = None
    allocation_timestamp: Annotated[Time | None, F(5)] = None


class ResourceClaimConsumerReference(Type):
    """Who uses a claim."""

    api_group: Annotated[str | None, F(1)] = None
    resource: Annotated[str, F(3)] = required(str)
    name: Annotated[str, F(4)] = required(str)
    uid: Annotated[str, F(5)] = required(str)


class NetworkDeviceData(Type):
    """Name and addresses of a device that is a network interface."""

    interface_name: Annotated[str | None, F(1)] = None
    ips: Annotated[list[str], F(2, atomic=True)] = []
    hardware_address: Annotated[str | None, F(3)] = None


class AllocatedDeviceStatus(Type):
    """What a driver says of a device that was given."""

    driver: Annotated[str, F(1)] = required(str)
    pool: Annotated[str, F(2)] = required(str)
    device: Annotated[str, F(3)] = required(str)
    share_id: Annotated[str | None, F(7, explicit=True)] = None
    conditions: Annotated[list[Condition], F(4, keys=("type",))] = required(list)
    data: Annotated[Json | Nothing, F(5)] = NOTHING
    network_data: Annotated[NetworkDeviceData | None, F(6)] = None


class ResourceClaimStatus(Type):
    """Which devices a claim has got, and who uses them."""

    allocation: Annotated[AllocationResult | None, F(1)] = None
    reserved_for: Annotated[list[ResourceClaimConsumerReference], F(2, merge="uid")] = []
    devices: Annotated[list[AllocatedDeviceStatus], F(4, keys=("driver", "device", "pool", "shareID"))] = []


class ResourceClaim(Type):
    """Asks for devices: what a pod names to get them."""

    kind: str = constant("ResourceClaim")
    api_version: str = constant("resource.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ResourceClaimSpec, F(2)] = required(ResourceClaimSpec)
    status: Annotated[ResourceClaimStatus, F(3)] = required(ResourceClaimStatus)


class ResourceClaimTemplateSpec(Type):
    """Labels and contents of the claims that are made."""

    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ResourceClaimSpec, F(2)] = required(ResourceClaimSpec)


class ResourceClaimTemplate(Type):
    """What the claims look like that are made for pods."""

    kind: str = constant("ResourceClaimTemplate")
    api_version: str = constant("resource.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ResourceClaimTemplateSpec, F(2)] = required(ResourceClaimTemplateSpec)


class ResourcePool(Type):
    """The pool that a slice is a part of."""

    name: Annotated[str, F(1)] = required(str)
    generation: Annotated[Int64, F(2)] = required(int)
    resource_slice_count: Annotated[Int64, F(3)] = required(int)


class DeviceAttribute(Type):
    """One fact about a device."""

    int_: Annotated[Int64 | None, F(2, explicit=True)] = None
    bool_: Annotated[bool | None, F(3, explicit=True)] = None
    string: Annotated[str | None, F(4, explicit=True)] = None
    version: Annotated[str | None, F(5, explicit=True)] = None
    ints: Annotated[list[Int64], F(6, atomic=True)] = []
    bools: Annotated[list[bool], F(7, atomic=True)] = []
    strings: Annotated[list[str], F(8, atomic=True)] = []
    versions: Annotated[list[str], F(9, atomic=True)] = []


class CapacityRequestPolicyRange(Type):
    """The least and most that may be asked for, and in which steps."""

    min: Annotated[Quantity | None, F(1)] = None
    max: Annotated[Quantity | None, F(2)] = None
    step: Annotated[Quantity | None, F(3)] = None


class CapacityRequestPolicy(Type):
    """How much of a capacity is given by default, and which amounts may be asked for."""

    default: Annotated[Quantity | None, F(1)] = None
    valid_values: Annotated[list[Quantity], F(3, atomic=True)] = []
    valid_range: Annotated[CapacityRequestPolicyRange | None, F(4)] = None


class DeviceCapacity(Type):
    """How much of something a device has, and in which portions it is given."""

    value: Annotated[Quantity | None, F(1)] = None
    request_policy: Annotated[CapacityRequestPolicy | None, F(2)] = None


class Counter(Type):
    """How much there is of something that devices share."""

    value: Annotated[Quantity | None, F(1)] = None


class DeviceCounterConsumption(Type):
    """What a device takes of counters that it shares with others."""

    counter_set: Annotated[str, F(1)] = required(str)
    counters: Annotated[dict[str, Counter], F(2)] = {}


class DeviceTaint(Type):
    """Something about a device that keeps pods away, or drives them out."""

    key: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    effect: Annotated[str, F(3, among=choices.DEVICE_EFFECTS)] = required(str)
    time_added: Annotated[Time | None, F(4)] = None


class NodeAllocatableResourceMapping(Type):
    """What a device is worth in resources of its node."""

    capacity_key: Annotated[str | None, F(1, explicit=True)] = None
    allocation_multiplier: Annotated[Quantity | None, F(2)] = None


class Device(Type):
    """One device: what it is and what it can do."""

    name: Annotated[str, F(1)] = required(str)
    attributes: Annotated[dict[str, DeviceAttribute], F(2)] = {}
    capacity: Annotated[dict[str, DeviceCapacity], F(3)] = {}
    consumes_counters: Annotated[list[DeviceCounterConsumption], F(4, atomic=True)] = []
    node_name: Annotated[str | None, F(5, explicit=True)] = None
    node_selector: Annotated[NodeSelector | None, F(6)] = None
    all_nodes: Annotated[bool | None, F(7, explicit=True)] = None
    taints: Annotated[list[DeviceTaint], F(8, atomic=True)] = []
    binds_to_node: Annotated[bool | None, F(9, explicit=True)] = None
    binding_conditions: Annotated[list[str], F(10, atomic=True)] = []
    binding_failure_conditions: Annotated[list[str], F(11, atomic=True)] = []
    allow_multiple_allocations: Annotated[bool | None, F(12, explicit=True)] = None
    node_allocatable_resource_mappings: Annotated[dict[str, NodeAllocatableResourceMapping], F(13)] = {}


class CounterSet(Type):
    """Counters that devices share, under one name."""

    name: Annotated[str, F(1)] = required(str)
    counters: Annotated[dict[str, Counter], F(2)] = {}


class ResourceSliceSpec(Type):
    """The driver, the pool, where the devices can be used, and the devices."""

    driver: Annotated[str, F(1)] = required(str)
    pool: Annotated[ResourcePool, F(2)] = required(ResourcePool)
    node_name: Annotated[str | None, F(3, explicit=True)] = None
    node_selector: Annotated[NodeSelector | None, F(4)] = None
    all_nodes: Annotated[bool | None, F(5, explicit=True)] = None
    devices: Annotated[list[Device], F(6, atomic=True)] = []
    per_device_node_selection: Annotated[bool | None, F(7, explicit=True)] = None
    shared_counters: Annotated[list[CounterSet], F(8, atomic=True)] = []


class ResourceSlice(Type):
    """Some of the devices that a driver offers on a node or elsewhere."""

    kind: str = constant("ResourceSlice")
    api_version: str = constant("resource.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ResourceSliceSpec, F(2)] = required(ResourceSliceSpec)
