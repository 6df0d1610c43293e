"""Rules for how much of a device there is, and how much of it a claim can have."""

from fractions import Fraction

from api import quantity
from api.resource_v1 import CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity
from api.validation.device_requests import unique
from api.validation.problems import Problems

_MOST_VALUES = 10
_ONE = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'


def capacity(found: Problems, path: str, item: DeviceCapacity, shared: bool) -> None:
    """A capacity of a device, which several claims may share or not."""
    policy, where = item.request_policy, f"{path}.requestPolicy"
    if policy is None:
        return
    if not shared:
        found.forbidden(where, "allowMultipleAllocations must be true")
    elif policy.valid_values and policy.valid_range is not None:
        found.forbidden(where, _ONE)
    elif policy.valid_values:
        if policy.default is None:
            found.required(f"{where}.default", "required when validValues is defined")
        else:
            _values(found, f"{where}.validValues", item.value or "0", policy)
    elif policy.valid_range is not None:
        if policy.default is None:
            found.required(f"{where}.default", "required when validRange is defined")
        else:
            _range(found, f"{where}.validRange", item.value or "0", policy.default, policy.valid_range)


def _values(found: Problems, path: str, most: str, policy: CapacityRequestPolicy) -> None:
    values, default = policy.valid_values, policy.default or "0"
    amounts = [quantity.parse(text) for text in values]
    for index in range(1, len(values)):
        if amounts[index - 1] > amounts[index]:
            found.invalid(f"{path}[{index}]", values[index], "values must be sorted in ascending order")
    if len(values) > _MOST_VALUES:
        found.too_many(path, len(values), _MOST_VALUES)
        amounts = []
    for index, amount in enumerate(amounts):
        if amount > quantity.parse(most):
            found.invalid(f"{path}[{index}]", values[index], f"option is larger than capacity value: {most}")
    unique(found, path, [str(quantity.ceil(values[index])) for index in range(len(amounts))])
    if quantity.parse(default) not in amounts:
        found.invalid(path, default, "default value is not valid according to the requestPolicy")


def _range(found: Problems, path: str, most: str, default: str, limits: CapacityRequestPolicyRange) -> None:
    if limits.min is None:
        found.required(f"{path}.min", "required when validRange is defined")
        return
    low, high = limits.min, limits.max
    if _over(low, most):
        found.invalid(f"{path}.min", low, f"min is larger than capacity value: {most}")
    if _over(low, default):
        found.invalid(f"{path}.min", default, f"default is less than min: {low}")
    if high is not None:
        if _over(low, high):
            found.invalid(f"{path}.max", low, f"min is larger than max: {high}")
        if _over(high, most):
            found.invalid(f"{path}.max", high, f"max is larger than capacity value: {most}")
        if _over(default, high):
            found.invalid(f"{path}.max", default, f"default is more than max: {high}")
    if limits.step is not None:
        _step(found, f"{path}.step", most, (default, *([high] if high is not None else [])), (low, limits.step))


def _step(found: Problems, path: str, most: str, values: tuple[str, ...], steps: tuple[str, str]) -> None:
    low, step = steps
    first, family = quantity.read(low)
    reached = first + quantity.parse(step)
    if reached > quantity.parse(most):
        shown = quantity.format_quantity(reached, family)
        found.invalid(path, step, f"one step {shown} is larger than capacity value: {most}")
    width = quantity.ceil(step)
    if width == 0:  # upstream's server breaks down here
        found.invalid(path, step, "must not be zero")
        return
    for value in values:
        if (quantity.ceil(value) - quantity.ceil(low)) % width:
            found.invalid(path, value, f"value is not a multiple of a given step ({step}) from ({low})")


def _over(text: str, other: str) -> bool:
    one: Fraction = quantity.parse(text)
    return one > quantity.parse(other)
