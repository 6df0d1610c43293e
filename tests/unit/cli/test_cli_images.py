"""Images made of Python alone."""

import io
import json
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from cli.images import archive, pause, recipes


def test_the_pause_program_ends_on_sigterm(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause.program(os.uname().machine))
    program.chmod(0o755)
    with subprocess.Popen([program]) as child:
        while "State:\tS" not in Path(f"/proc/{child.pid}/status").read_text():  # it waits, so it has blocked
            assert child.poll() is None
        child.send_signal(signal.SIGCHLD)
        child.send_signal(signal.SIGTERM)
        assert child.wait(120) == 0


@pytest.mark.root
def test_the_pause_program_reaps_orphans(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause.program(os.uname().machine))
    program.chmod(0o755)
    # The shell leaves an orphan behind and becomes the pause program, PID 1 of the namespace.
    script = f"(sleep 0.1 & exec sleep 0.05) & exec {program}"
    argv = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script]
    with subprocess.Popen(argv) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        while not children.read_text().split():
            pass
        init = int(children.read_text().split()[0])
        below = Path(f"/proc/{init}/task/{init}/children")
        for _ in range(12_000):
            if Path(f"/proc/{init}/comm").read_text() == "pause\n" and not below.read_text().split():
                break
            signal.sigtimedwait([], 0.01)
        else:
            pytest.fail(f"not reaped: {below.read_text()}")
        os.kill(init, signal.SIGINT)
        assert outer.wait(120) == 0


@pytest.mark.parametrize("machine", sorted(pause.MACHINES))
def test_every_machine_has_a_program_and_a_name(machine: str) -> None:
    assert machine in archive.ARCHITECTURES
    assert pause.program(machine)[:4] == b"\x7fELF"


def test_images_are_complete_and_always_the_same() -> None:
    recipe = recipes.demo_image("x86_64", b"busybox", ["busybox", "sh", "httpd"])
    image = archive.build(recipe)
    assert archive.build(recipe) == image
    with tarfile.open(fileobj=io.BytesIO(image.archive)) as outer:
        blobs = {member.name: outer.extractfile(member).read() for member in outer if member.isfile()}  # type: ignore[union-attr]
    index = json.loads(blobs["index.json"])["manifests"][0]
    assert index["digest"] == image.digest
    manifest = json.loads(blob(blobs, index["digest"]))
    config = json.loads(blob(blobs, manifest["config"]["digest"]))
    assert (config["config"]["Entrypoint"], config["config"]["Cmd"]) == ([], ["/bin/serve"]), "arguments take its place"
    with tarfile.open(fileobj=io.BytesIO(blob(blobs, manifest["layers"][0]["digest"])), mode="r:gz") as layer:
        members = {member.name: member for member in layer}
    assert members["bin/sh"].linkname == "busybox"
    assert members["tmp"].mode == 0o1777
    assert "bin" in members, "folders come by themselves"
    assert members["bin/busybox"].issym() is False


def blob(blobs: dict[str, bytes], digest: str) -> bytes:
    return blobs["blobs/sha256/" + digest.removeprefix("sha256:")]
