"""Configuration files and kubeconfigs. They are rendered anew each time: what `up` decides is in cluster.yaml alone."""

from pathlib import Path

from cli import configs
from cli.machine import Machine, Step
from cli.steps.facts import runtime_facts
from kit.files import write_atomic


def rendered(machine: Machine) -> dict[Path, bytes]:
    return configs.render(machine.settings, machine.layout, runtime_facts(machine.settings))


def done(machine: Machine) -> bool:
    """Whether every file is as it would be written."""
    return all(path.exists() and path.read_bytes() == data for path, data in rendered(machine).items())


def do(machine: Machine) -> str:
    """Write those that differ."""
    changed = []
    for path, data in rendered(machine).items():
        if not path.exists() or path.read_bytes() != data:
            write_atomic(path, data, mode=0o600)
            changed.append(path.name)
    return f"wrote {', '.join(changed)}"


STEP = Step("configuration", do, done)
