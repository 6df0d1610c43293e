"""Rules for the seccomp and AppArmor profiles of pods and containers."""

from api import choices
from api.core_v1 import AppArmorProfile, SeccompProfile
from api.validation.paths import descending_path
from api.validation.problems import Problems

_PROFILES = choices.PROFILES
_LONGEST_PATH = 4095


def seccomp(found: Problems, path: str, value: SeccompProfile | None) -> None:
    """A seccomp profile."""
    if value is None:
        return
    _type(found, path, value.type, "seccompProfile")
    where = f"{path}.localhostProfile"
    if value.type != "Localhost":
        if value.localhost_profile is not None:
            # Upstream shows its inner form of the whole profile here.
            shown = {"Type": value.type or "", "LocalhostProfile": value.localhost_profile}
            found.invalid(where, shown, "can only be set when seccomp type is Localhost")
    elif value.localhost_profile is None:
        found.required(where, "must be set when seccomp type is Localhost")
    else:
        descending_path(found, where, value.localhost_profile)


def app_armor(found: Problems, path: str, value: AppArmorProfile | None) -> None:
    """An AppArmor profile."""
    if value is None:
        return
    _type(found, path, value.type, "appArmorProfile")
    where, name = f"{path}.localhostProfile", value.localhost_profile
    if value.type == "Localhost":
        if not name:
            found.required(where, "must be set when AppArmor type is Localhost")
            return
        if name != name.strip():
            found.invalid(where, name, "must not be padded with whitespace")
        if len(name.encode()) > _LONGEST_PATH:
            found.too_long(where, _LONGEST_PATH)
    elif value.type in _PROFILES and name is not None:
        found.invalid(where, name, "can only be set when AppArmor type is Localhost")


def _type(found: Problems, path: str, value: str | None, field: str) -> None:
    if not value:
        found.required(f"{path}.type", f"type is required when {field} is set")
    else:
        found.optional_one_of(f"{path}.type", value, _PROFILES)
