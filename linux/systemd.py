"""systemd: whether it runs this machine, units, their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linux.process import ProcessFailed, run

UNITS = Path("/etc/systemd/system")


class SystemdError(Exception):
    """systemctl did not do what it was asked."""


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit: active, activating, failed, inactive; its main process, 0 without one."""

    active: str
    pid: int
    restarts: int


def is_running() -> bool:
    """True where systemd is PID 1 (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def write_unit(name: str, text: str) -> bool:
    """Write a unit file; True when it was not like this before. Needs `reload` to be seen."""
    if has_unit(name, text):
        return False
    (UNITS / name).write_text(text)
    return True


def has_unit(name: str, text: str) -> bool:
    """Whether a unit file is there with exactly this text."""
    path = UNITS / name
    return path.exists() and path.read_text() == text


def remove_units(names: Sequence[str]) -> None:
    """Stop, disable and forget units; those that are not there are fine."""
    present = [name for name in names if (UNITS / name).exists()]
    if not present:
        return
    _systemctl("disable", "--now", *present, check=False)
    for name in present:
        (UNITS / name).unlink(missing_ok=True)
    reload()
    _systemctl("reset-failed", *present, check=False)


def reload() -> None:
    """Make systemd read unit files again."""
    _systemctl("daemon-reload")


def enable_and_start(names: Sequence[str]) -> None:
    """Start units now and at every boot."""
    _systemctl("enable", "--quiet", *names)
    _systemctl("start", *names)


def disable(names: Sequence[str]) -> None:
    """Neither start units at boot nor run them now."""
    _systemctl("disable", "--quiet", "--now", *names)


def restart(names: Sequence[str]) -> None:
    """Stop and start units."""
    _systemctl("restart", *names)


def stop(names: Sequence[str]) -> None:
    """Stop units; those that do not run are fine."""
    _systemctl("stop", *names, check=False)


def state(name: str) -> UnitState:
    """The state of one unit; an unknown unit is inactive."""
    shown = _systemctl("show", name, "--property=ActiveState,MainPID,NRestarts", check=False)
    fields = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    restarts = fields.get("NRestarts", "0")
    return UnitState(
        fields.get("ActiveState", "inactive"),
        int(fields.get("MainPID", "0") or 0),
        int(restarts) if restarts.isdigit() else 0,
    )


def _systemctl(*arguments: str, check: bool = True) -> str:
    try:
        return run(["systemctl", *arguments], timeout=120, check=check).text
    except ProcessFailed as error:
        raise SystemdError(str(error)) from error
