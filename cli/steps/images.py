"""The pause image and the demo image: built here, and loaded into containerd."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from cli.errors import CliError
from cli.images import archive, recipes
from cli.machine import Machine, Step
from kit.files import write_atomic
from linux import process

BUSYBOX = Path("/bin/busybox")
NAMESPACE = "k8s.io"


def wanted() -> Iterator[tuple[archive.Recipe, str]]:
    """The recipes, each with a key that changes when the recipe does."""
    machine = os.uname().machine
    applets = process.run([str(BUSYBOX), "--list"]).text.split()
    for recipe in (recipes.pause_image(machine), recipes.demo_image(machine, BUSYBOX.read_bytes(), applets)):
        yield recipe, hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def index(machine: Machine) -> dict[str, dict[str, str]]:
    """What was built: name -> key, digest, file."""
    try:
        found: dict[str, dict[str, str]] = json.loads((machine.layout.images / "index.json").read_bytes())
        return found
    except (OSError, ValueError):
        return {}


def built(machine: Machine) -> bool:
    """Whether both are there as they would be built now."""
    have = index(machine)
    return all(
        have.get(recipe.name, {}).get("key") == key and Path(have[recipe.name]["file"]).exists()
        for recipe, key in wanted()
    )


def build(machine: Machine) -> str:
    """Build both."""
    entries = {}
    for recipe, key in wanted():
        image = archive.build(recipe)
        path = machine.layout.images / f"{recipe.name.split('/')[1].replace(':', '-')}.tar"
        write_atomic(path, image.archive)
        entries[recipe.name] = {"key": key, "digest": image.digest, "file": str(path)}
    write_atomic(machine.layout.images / "index.json", json.dumps(entries, indent=1).encode())
    return ", ".join(entries)


def loaded(machine: Machine) -> bool:
    """Whether containerd has exactly these."""
    listed = _ctr(machine, "images", "list")
    digests = {line.split()[0]: line.split()[2] for line in listed.splitlines()[1:] if len(line.split()) > 2}
    return all(digests.get(name) == entry["digest"] for name, entry in index(machine).items())


def load(machine: Machine) -> str:
    """Import both."""
    for entry in index(machine).values():
        _ctr(machine, "images", "import", entry["file"])
    return ", ".join(index(machine))


def _ctr(machine: Machine, *arguments: str) -> str:
    address = str(machine.layout.containerd_socket)
    try:
        return process.run(["ctr", "--address", address, "--namespace", NAMESPACE, *arguments], timeout=60).text
    except process.ProcessFailed as error:
        remedy = f"See {machine.layout.log}/containerd.log or 'journalctl -u wherry-containerd'"
        raise CliError("load images into containerd", process.last_lines(error.err, 2), remedy) from error


BUILD = Step("images", build, built)
LOAD = Step("images loaded", load, loaded)
