"""Rules for the taints of devices, and for conditions that must hold before pods use them."""

from api import choices, names
from api.resource_v1 import DeviceTaint
from api.validation.problems import Problems

EFFECTS = choices.DEVICE_EFFECTS
_MOST_TAINTS, _MOST_CONDITIONS = 16, 4


def taints(found: Problems, path: str, items: list[DeviceTaint]) -> None:
    """What keeps pods off a device."""
    if len(items) > _MOST_TAINTS:
        found.too_many(path, len(items), _MOST_TAINTS)
        return
    for index, taint in enumerate(items):
        where = f"{path}[{index}]"
        found.invalid_all(f"{where}.key", taint.key, names.label_key(taint.key))
        if taint.value:
            found.invalid_all(f"{where}.value", taint.value, names.label_value(taint.value))
        found.one_of(f"{where}.effect", taint.effect, EFFECTS)


def binding_conditions(found: Problems, path: str, wanted: list[str], failures: list[str]) -> None:
    """Conditions that say that a device is ready to be used, and those that say that it never will be."""
    for field, items in (("bindingConditions", wanted), ("bindingFailureConditions", failures)):
        where = f"{path}.{field}"
        if len(items) > _MOST_CONDITIONS:
            found.too_many(where, len(items), _MOST_CONDITIONS)
            items = []
        for index, name in enumerate(items):
            found.invalid_all(f"{where}[{index}]", name, names.label_key(name))
    for index, name in enumerate(wanted):
        if name in wanted[:index]:
            found.duplicate(f"{path}.bindingConditions[{index}]", name)
    for index, name in enumerate(failures):
        where = f"{path}.bindingFailureConditions[{index}]"
        if name in failures[:index]:
            found.duplicate(where, name)
        if name in wanted:
            found.invalid(where, name, "bindingFailureConditions must not overlap with bindingConditions")
    if failures and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        found.invalid(f"{path}.bindingConditions", None, detail)
    if wanted and not failures:
        detail = "bindingFailureConditions are required to use bindingConditions"
        found.invalid(f"{path}.bindingFailureConditions", None, detail)
