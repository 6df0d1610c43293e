"""Pods of many kinds whose containers notice by themselves when they are doubled, or begun without what they need.

Each instance of a container adds a line to a file of its own: its process as the host knows it, and when that began. Who
finds in there another one that lives says so in the file `wrong`.
"""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

from api.core_v1 import (
    ConfigMapVolumeSource,
    Container,
    ContainerPort,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HostPathVolumeSource,
    KeyToPath,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from tests.cri.stage import NODE, make_pod, shell

MARKS = Path("/run/marks")
WRONG = MARKS / "wrong"
MARK = """\
read -r line < /host/self/stat; set -- $line; me=$1:${22}
echo $me >> /marks/$KEY
for other in $(cat /marks/$KEY); do
  [ $other != $me ] || continue
  { read -r line < /host/${other%%:*}/stat; } 2>/dev/null || continue
  set -- $line
  [ $1:${22} != $other ] || [ $3 = Z ] || [ $3 = X ] || echo "$KEY runs twice: $other $me" >> /marks/wrong
done
need() { [ -s $1 ] || echo "$KEY lacks $1" >> /marks/wrong; }
"""
SLEEP = "trap 'exit 0' TERM; sleep 100000 & wait"
_ports = itertools.count(20000)


def sleeper(name: str) -> Pod:
    """Lives until it is deleted: with volumes of most kinds, and one after the other to prepare them."""
    mounts = [VolumeMount(name="memory", mount_path="/memory"), VolumeMount(name="disk", mount_path="/disk")]
    parts = [
        VolumeMount(name="settings", mount_path="/settings/one", sub_path="one"),
        VolumeMount(name="disk", mount_path="/part", sub_path_expr="of/$(KEY)"),
        VolumeMount(name="secret", mount_path="/secret"),
    ]
    needs = "need /memory/first; need /disk/second; need /settings/one; need /secret/word\n"
    token = "need /var/run/secrets/kubernetes.io/serviceaccount/token; echo x > /part/x; need /part/x\n"
    return _pod(
        name,
        _marked("a", needs + token + SLEEP, mounts + parts),
        init_containers=[
            _marked("first", "echo x > /memory/first", mounts),
            _marked("second", "need /memory/first; echo x > /disk/second", mounts),
        ],
        security_context=PodSecurityContext(fs_group=1234),
    )


def pair(name: str) -> Pod:
    """Two that live beside a sidecar; one is slow to go."""
    slow = Lifecycle(pre_stop=LifecycleHandler(exec=ExecAction(command=["sleep", "0.3"])))
    sidecar = _marked("side", SLEEP)
    sidecar.restart_policy = "Always"
    slow_one = _marked("b", SLEEP)
    slow_one.lifecycle = slow
    return _pod(name, _marked("a", SLEEP), slow_one, init_containers=[sidecar])


def host_port(name: str) -> Pod:
    """Lives, and has a port of the host."""
    container = _marked("a", SLEEP)
    container.ports = [ContainerPort(container_port=80, host_port=next(_ports))]
    return _pod(name, container)


def on_host(name: str) -> Pod:
    """Lives in the host's network, and takes no hint to go."""
    return _pod(name, _marked("a", "trap '' TERM; while :; do sleep 1; done"), host_network=True)


def job(name: str) -> Pod:
    """Runs once, if at all."""
    sidecar = _marked("side", SLEEP)
    sidecar.restart_policy = "Always"
    return _pod(name, _marked("a", "sleep 0.2"), init_containers=[sidecar], restart_policy="Never")


def stubborn(name: str) -> Pod:
    """Succeeds the third time."""
    tries = "echo x >> /disk/tries; sleep 0.1; [ $(cat /disk/tries | wc -l) -ge 3 ]"
    return _pod(name, _marked("a", tries, [VolumeMount(name="disk", mount_path="/disk")]), restart_policy="OnFailure")


def crasher(name: str) -> Pod:
    """Never stays."""
    return _pod(name, _marked("a", "sleep 0.1; exit 3"))


LIVING = (sleeper, pair, host_port, on_host)
ENDING = (job, stubborn)
KINDS: tuple[Callable[[str], Pod], ...] = (*LIVING, sleeper, *ENDING, crasher)


def some(rng: random.Random, number: int) -> Pod:
    """The next pod; its name tells its kind."""
    make = rng.choice(KINDS)
    return make(f"{make.__name__.replace('_', '-')}-{number}")


def is_of(pod: Pod, *makers: Callable[[str], Pod]) -> bool:
    """Whether it is of one of these kinds."""
    return (pod.metadata.name or "").rpartition("-")[0] in {make.__name__.replace("_", "-") for make in makers}


def starts(pod: Pod, container: str) -> int:
    """How often the container's process began."""
    path = MARKS / f"{pod.metadata.uid}-{container}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def _marked(name: str, script: str, mounts: list[VolumeMount] | None = None) -> Container:
    container = shell(name, MARK + script)
    uid = EnvVar(name="POD", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="metadata.uid")))
    container.env = [uid, EnvVar(name="KEY", value=f"$(POD)-{name}")]
    own = [VolumeMount(name="marks", mount_path="/marks"), VolumeMount(name="host", mount_path="/host", read_only=True)]
    container.volume_mounts = own + (mounts or [])
    return container


def _pod(name: str, *containers: Container, **spec: object) -> Pod:
    pod = make_pod(name, *containers, **spec)
    pod.spec.node_name = NODE
    pod.spec.volumes = [
        Volume(name="marks", host_path=HostPathVolumeSource(path=str(MARKS))),
        Volume(name="host", host_path=HostPathVolumeSource(path="/proc")),
        Volume(name="memory", empty_dir=EmptyDirVolumeSource(medium="Memory")),
        Volume(name="disk", empty_dir=EmptyDirVolumeSource()),
        Volume(name="secret", secret=SecretVolumeSource(secret_name="words")),
        Volume(
            name="settings",
            config_map=ConfigMapVolumeSource(name="settings", items=[KeyToPath(key="one", path="one")]),
        ),
    ]
    return pod
