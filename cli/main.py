"""The `wherry` command: reads arguments, hands over to one module per subcommand, imported only when it is asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cli.errors import CliError

DESCRIPTION = "A small Kubernetes for Linux hosts: sets up, starts, shows and removes a cluster on this machine."
EPILOG = """\
first steps:
  ./wherry up                                     set up and start (as root)
  export KUBECONFIG=/etc/wherry/admin.kubeconfig
  kubectl create deployment web --image=wherry.local/demo:1
  ./wherry reset                                  remove everything again
"""
PROGRAMS = {
    "controlplane": "API server, scheduler, controllers and store in one process",
    "agent": "the node agent: runs this node's pods",
    "proxy": "the service proxy: programs this node's Services",
}


@dataclass(frozen=True)
class Command:
    """One subcommand: `module.run(options)` does it, `module.add_options(parser)` says what it takes."""

    module: str
    summary: str
    description: str


COMMANDS = {
    "up": Command(
        "cli.up",
        "set up what is missing and start the cluster; harmless when it runs already",
        "Installs missing Debian packages, makes certificates, configuration and images, starts containerd, control "
        "plane, agent and proxy, and waits until the node is Ready. What it made is removed again when it fails.",
    ),
    "down": Command(
        "cli.down",
        "stop all pods and components, keep the data",
        "Stops this node's pods, then agent, proxy, control plane and containerd. Objects, images and certificates stay: "
        "`wherry up` starts again where it was.",
    ),
    "reset": Command(
        "cli.reset",
        "remove everything that `up` made on this machine",
        "Stops everything and removes processes, network namespaces, links, mounts, rules, cgroups and files, also of a "
        "half-made or crashed cluster. Debian packages and the checkout's .venv stay.",
    ),
    "status": Command(
        "cli.status",
        "show each component: state, health, memory, version",
        "Shows each component with its state, health, process id, memory, running time and version. The exit status is "
        "0 when all are healthy, 3 when not.",
    ),
    "store": Command(
        "cli.store",
        "copy the cluster's objects between SQLite and etcd, back up and restore",
        "Copies all objects to another store and compares both, or backs up and restores the embedded one.",
    ),
    "test": Command(
        "cli.testing",
        "run all checks and tests, and say what was skipped and why",
        "Installs what the tests need, then runs ruff, mypy, the import contracts and pytest.",
    ),
}


PACKAGES = {"controlplane": "controlplane", "agent": "nodeagent", "proxy": "proxy"}


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The whole command line, and its subcommands by name: their own options are added when one is asked for."""
    parser = argparse.ArgumentParser(
        prog="wherry", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    by_name = {
        name: commands.add_parser(name, help=command.summary, description=command.description)
        for name, command in COMMANDS.items()
    }
    commands.add_parser("bench", help="measure; `wherry bench --help` lists the benchmarks", add_help=False)
    for name, summary in PROGRAMS.items():
        program = commands.add_parser(name, help=f"run {summary}", description=f"Runs {summary}, in the foreground.")
        by_name[name] = program
        if name == "proxy":
            continue
        program.add_argument(
            "--config", required=name != "agent", metavar="FILE", help=f"its configuration, as /etc/wherry/{name}.yaml"
        )
        if name == "agent":
            program.add_argument(
                "--standalone", metavar="DIR", help="run the pods of the manifests in DIR, without any API server"
            )
    return parser, by_name


def main(argv: Sequence[str]) -> int:
    """Run one subcommand; its exit status."""
    try:
        return _dispatch(list(argv))
    except CliError as error:
        print(f"wherry: {error}", file=sys.stderr)
        return 1
    except ExceptionGroup as group:  # several things at once are wrong: a line each
        for one in group.exceptions:
            print(f"wherry: {one}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wherry: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _dispatch(argv: list[str]) -> int:
    name = argv[0] if argv else ""
    if name == "bench":
        return int(importlib.import_module("bench.frame").main(argv[1:]))
    parser, by_name = build_parser()
    if name in COMMANDS:
        module = importlib.import_module(COMMANDS[name].module)
        if hasattr(module, "add_options"):
            module.add_options(by_name[name])
        return int(module.run(parser.parse_args(argv)))
    if name == "proxy":
        return _proxy(parser, by_name[name], argv)
    options = parser.parse_args(argv or ["--help"])
    standalone = getattr(options, "standalone", None) or ""
    if not (options.config or standalone):
        parser.error("agent: one of --config FILE and --standalone DIR is required")
    return _run_program(name, options.config or "", standalone)


def _proxy(parser: argparse.ArgumentParser, program: argparse.ArgumentParser, argv: list[str]) -> int:
    from kit.config import ConfigError
    from proxy import cleanup, flags

    flags.add_options(program)
    options = parser.parse_args(argv)
    if flags.wants_cleanup(options):
        for one in cleanup():
            print(f"removed {one}")
        return 0
    from kit.program import main as run
    from proxy.app import run as app

    try:
        return run(app, flags.configure(options), name="proxy")
    except ConfigError as error:
        raise CliError(
            "start the proxy", error, "'wherry proxy --help' and docs/proxy.md tell what there is"
        ) from error


def _run_program(name: str, config_file: str, standalone: str = "") -> int:
    from kit.config import ConfigError
    from kit.program import main as run

    package = PACKAGES[name]
    try:
        if standalone:
            config = importlib.import_module("cli.standalone").make_config(standalone, config_file)
        else:
            config = importlib.import_module(f"{package}.config").load(config_file)
    except ConfigError as error:
        raise CliError(f"start the {name}", error, "Repair that file; 'wherry up' writes a good one") from error
    return run(importlib.import_module(f"{package}.app").run, config, name=name)
