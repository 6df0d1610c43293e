"""What programs leave outside our folders: kernel settings and pod logs noted before and put back, rules and links removed."""

import shutil
from pathlib import Path

import msgspec

from cli.layout import Layout
from kit.files import write_atomic
from linux.sysctl import NotFound, ProcSysctl, SysctlError

# All that agent and proxy may change; tests/cluster/test_reset.py sees it when one is missing here.
SETTINGS = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
)
CNI_RESULTS = (
    "var/lib/cni/results"  # containerd's network library keeps its cache here, whatever its configuration says
)


class Before(msgspec.Struct):
    """What was there before anything of ours ran."""

    settings: dict[str, str] = {}
    pod_logs: list[str] = []
    cni_results: bool = True  # who knows: then it stays


def note(layout: Layout) -> None:
    """Keep how things are; the first time counts."""
    if _path(layout).exists():
        return
    found = Before(
        pod_logs=[path.name for path in _entries(layout.pod_logs)],
        cni_results=(layout.root / CNI_RESULTS).exists(),
    )
    for name in SETTINGS:
        try:
            found.settings[name] = ProcSysctl().read(name)
        except NotFound:
            continue
    write_atomic(_path(layout), msgspec.json.encode(found))


def restore_settings(layout: Layout) -> list[Exception]:
    """Put the noted settings back; what could not be."""
    errors: list[Exception] = []
    for name, value in _noted(layout).settings.items():
        try:
            ProcSysctl().write(name, value)
        except SysctlError as error:
            errors.append(error)
    return errors


def remove_logs(layout: Layout) -> None:
    """Remove the logs of our pods, and the folders if nobody else's are in them."""
    keep = set(_noted(layout).pod_logs)
    for path in _entries(layout.pod_logs):
        if path.name not in keep:
            _remove(path)
    for path in _entries(layout.container_logs):  # links to pod logs
        if path.is_symlink() and not path.exists():
            path.unlink()
    _remove_empty(layout.pod_logs, layout.container_logs)


def remove_cni_results(layout: Layout) -> None:
    """Remove the cached results that name network namespaces of ours, and their folder if it came with us."""
    folder = layout.root / CNI_RESULTS
    mark = str(layout.containerd_state).encode()
    for path in _entries(folder):
        if mark in path.read_bytes():
            path.unlink()
    if not _noted(layout).cni_results:
        _remove_empty(folder, folder.parent)


def remove_rules(layout: Layout) -> list[Exception]:
    """Remove rules of the proxy, rules and links of the pod network; what could not be removed."""
    import proxy
    from cni.fabric.removal import remove_fabric
    from cni.removal import remove_all

    errors: list[Exception] = []
    for remove in (proxy.cleanup, remove_fabric, lambda: remove_all(str(layout.lib / "cni"))):
        try:
            remove()
        except ExceptionGroup as group:
            errors += group.exceptions
    return errors


def _path(layout: Layout) -> Path:
    return layout.lib / "before.json"


def _noted(layout: Layout) -> Before:
    try:
        return msgspec.json.decode(_path(layout).read_bytes(), type=Before)
    except (OSError, msgspec.MsgspecError):
        return Before()


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not there, or in use
            pass
