"""What drivers were asked for, on disk beside the volumes, so that it can be undone by an agent that knows nothing else.

pods/<uid>/volumes/kubernetes.io~csi/<name>/{vol_data.json,mount}      shown to a pod
pods/<uid>/volumeDevices/kubernetes.io~csi/<name>/{vol_data.json,dev}  the same, as a device
plugins/kubernetes.io/csi/<driver>/<hash>/{vol_data.json,globalmount}  made ready for all pods
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = "vol_data.json"


@dataclass(frozen=True, slots=True)
class Record:
    """One volume of one pod that a driver was asked for."""

    driver: str
    handle: str
    target: str
    attached: bool = False  # it had to be attached first

    @property
    def uid(self) -> str:
        """Whose it is."""
        return self.target.split("/")[-5]

    @property
    def label(self) -> str:
        """What it is called on disk."""
        return self.target.split("/")[-2]

    @property
    def volume(self) -> tuple[str, str]:
        """Which volume it is, whoever has it."""
        return self.driver, self.handle


def target_path(root: str, uid: str, label: str, *, block: bool = False) -> str:
    """Where a driver shows a volume to a pod."""
    folder, name = ("volumeDevices", "dev") if block else ("volumes", "mount")
    return f"{root}/pods/{uid}/{folder}/kubernetes.io~csi/{label}/{name}"


def staging_path(root: str, driver: str, handle: str) -> str:
    """Where a driver makes a volume ready for all pods."""
    digest = hashlib.sha256(handle.encode()).hexdigest()
    return f"{root}/plugins/kubernetes.io/csi/{driver}/{digest}/globalmount"


def note(path: str, driver: str, handle: str, *, attached: bool = False) -> None:
    """Write down that a driver is asked to use this path, before it is."""
    folder = Path(path).parent
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    fresh = folder / f"{DATA}.new"
    fresh.write_text(json.dumps({"driverName": driver, "volumeHandle": handle, "attached": attached}))
    os.replace(fresh, folder / DATA)


def make(path: str) -> None:
    """The directory of a path, for the driver to mount on. What is mounted there already is not asked: its server may be away."""
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    try:
        os.mkdir(path, 0o750)
    except FileExistsError:
        pass


def strike(path: str) -> None:
    """Forget it, once the driver has undone it."""
    for victim in (path, f"{Path(path).parent}/{DATA}", str(Path(path).parent)):
        try:
            os.rmdir(victim)
        except NotADirectoryError:
            os.unlink(victim)
        except FileNotFoundError:
            pass


def is_noted(path: str) -> bool:
    """Whether a driver was asked to use this path."""
    return os.path.exists(f"{os.path.dirname(path)}/{DATA}")


def records(root: str, uid: str = "*") -> Iterator[Record]:
    """What pods have, or one of them."""
    chosen = uid if uid == "*" else glob.escape(uid)
    for folder, name in (("volumes", "mount"), ("volumeDevices", "dev")):
        pattern = f"{glob.escape(root)}/pods/{chosen}/{folder}/kubernetes.io~csi/*/{DATA}"
        for path in sorted(glob.glob(pattern)):
            try:
                found = json.loads(Path(path).read_text())
                target = f"{os.path.dirname(path)}/{name}"
                yield Record(found["driverName"], found["volumeHandle"], target, bool(found.get("attached")))
            except (OSError, ValueError, KeyError):
                continue  # half a record: nothing was asked for yet
