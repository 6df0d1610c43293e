"""`wherry store`: copies a cluster's objects to another store, backs up the embedded one while it runs, and restores it."""

import argparse
import asyncio
from pathlib import Path

from cli.errors import CliError
from cli.layout import Layout
from controlplane.config import load
from controlplane.store import copying
from controlplane.store.choice import Etcd, open_engine
from controlplane.store.interface import StoreError
from kit.clock import SystemClock
from kit.config import ConfigError

EPILOG = """\
examples:
  wherry store copy --from /var/lib/wherry/store/store.db --to etcd:https://10.0.0.1:2379,https://10.0.0.2:2379 \\
    --ca-cert ca.crt --cert client.crt --key client.key
  wherry store backup /root/wherry-monday.db
  wherry store restore /root/wherry-monday.db
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `store` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    copy = verbs.add_parser(
        "copy", help="copy all objects to an empty store and compare; stop the control planes before"
    )
    for name, dest, what in (
        ("--from", "source", "the store that has the objects"),
        ("--to", "target", "an empty one"),
    ):
        copy.add_argument(name, dest=dest, required=True, metavar="STORE", help=f"{what}: a file, or etcd:URL[,URL...]")
    for name in ("--ca-cert", "--cert", "--key"):
        copy.add_argument(name, default="", metavar="FILE", help="for etcd over TLS")
    copy.add_argument("--prefix", default="/wherry", help="of the keys in etcd (default: /wherry)")
    backup = verbs.add_parser("backup", help="write the state of one moment to a file, also while the cluster runs")
    backup.add_argument("file", metavar="FILE", help="a new file; who can read it knows the cluster's Secrets")
    restore = verbs.add_parser("restore", help="go back to a backup; stop the control plane before")
    restore.add_argument("file", metavar="FILE", help="what 'wherry store backup' wrote")
    config = str(Layout().config("controlplane"))
    for verb in (backup, restore):
        verb.add_argument("--store", metavar="FILE", help=f"the store's file (default: as {config} says)")


def run(options: argparse.Namespace) -> int:
    """Do it; prints what was done."""
    verb: str = options.verb
    try:
        if verb == "copy":
            print(asyncio.run(_copy(options)))
        elif verb == "backup":
            print(_backup(Path(options.file), _own_file(options.store)))
        else:
            print(_restore(Path(options.file), _own_file(options.store)))
    except StoreError as error:
        raise _refused(verb, error) from error
    except ExceptionGroup as group:
        raise _refused(verb, group.exceptions[0]) from group
    return 0


async def _copy(options: argparse.Namespace) -> str:
    source_place, target_place = _place(options.source, options), _place(options.target, options)
    if isinstance(source_place, Path) and not source_place.is_file():
        raise CliError("copy the store", f"there is no file {source_place}", "Say with --from where the objects are")
    if source_place == target_place:
        raise CliError("copy the store", "source and target are one", "Say with --to where the objects shall be")
    clock = SystemClock()
    source = await open_engine(source_place, clock)
    try:
        target = await open_engine(target_place, clock)
        try:
            done = await copying.copy(source, target)
        finally:
            await target.close()
    finally:
        await source.close()
    content = done.content
    return (
        f"Copied {content.keys} keys and {done.expiring} that expire; both sides have sha256 {content.sha256}.\n"
        f"The target goes on after revision {done.revision}. Name it in controlplane.yaml, under 'store'."
    )


def _backup(target: Path, store: Path) -> str:
    from controlplane.store.sqlite.backup import backup

    found = backup(store, target)
    return f"Backed up {store} to {target}: {found.keys} keys as of revision {found.revision}."


def _restore(source: Path, store: Path) -> str:
    from controlplane.store.sqlite.backup import restore

    existed = store.exists()
    found = restore(source, store)
    kept = f" What was there before is {store}.replaced." if existed else ""
    return f"Restored {store}: {found.keys} keys, going on after revision {found.revision}.{kept}"


def _place(text: str, options: argparse.Namespace) -> Path | Etcd:
    if not text.startswith("etcd:"):
        return Path(text).absolute()
    endpoints = tuple(part for part in text.removeprefix("etcd:").split(",") if part)
    return Etcd(endpoints=endpoints, ca_cert=options.ca_cert, cert=options.cert, key=options.key, prefix=options.prefix)


def _own_file(given: str | None) -> Path:
    """The file of this machine's control plane."""
    if given:
        return Path(given).absolute()
    path = Layout().config("controlplane")
    try:
        place = load(path).store_place
    except ConfigError as error:
        raise CliError("find the store", error, "Say with --store where it is") from error
    if isinstance(place, Etcd):
        reason = f"{path} says that it is {place}"
        raise CliError("use the embedded store", reason, "Use 'etcdctl snapshot' for that, or name a file with --store")
    return place


def _refused(verb: str, error: BaseException) -> CliError:
    """The store's messages end with what helps."""
    reason, _, remedy = str(error).rstrip(".").partition(". ")
    name = "back up" if verb == "backup" else verb
    return CliError(f"{name} the store", reason, remedy or f"See 'wherry store {verb} --help'")
