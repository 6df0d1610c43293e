"""Static pods on their way to workers.

A manifest that changed makes another pod under the same name: the old one ends first, then the new one starts. When one is withdrawn its
mirror in the API server stays until nothing of it runs any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from api import codec, times
from api.core_v1 import Pod
from kit import log
from kit.clock import Clock
from nodeagent.model.origin import SEEN

_log = log.get("manifests")


class PodSink(Protocol):
    """Where pods go: the workers."""

    def apply(self, key: str, old: Pod | None, new: Pod | None) -> None: ...


@dataclass(slots=True)
class _Known:
    pod: Pod  # the one that workers have
    text: bytes  # what its manifest says
    wanted: Pod | None = None  # who comes after it
    ending: bool = False


class StaticPods:
    """See the module. `show` is told which pod of a name there is, None once there is none."""

    def __init__(self, pods: PodSink, clock: Clock, show: Callable[[str, Pod | None], object]) -> None:
        self._pods = pods
        self._clock = clock
        self._show = show
        self._known: dict[str, _Known] = {}
        self.restarted: Callable[[str], object] = lambda static: None  # hears of a pod that begins again
        self.read = False  # whether manifests were read at all

    def update(self, pods: list[Pod]) -> None:
        """These are all the static pods there should be."""
        wanted = {_key(pod): pod for pod in pods}
        for key, known in self._known.items():
            if key not in wanted:
                self._want(key, known, None)
        for key, pod in wanted.items():
            found = self._known.get(key)
            if found is None:
                self._begin(key, pod)
            else:
                self._want(key, found, pod)
        self.read = True

    def forgotten(self, uid: str) -> None:
        """Nothing of that pod is left: whoever waited for its end may start."""
        for key, known in list(self._known.items()):
            if known.ending and known.pod.metadata.uid == uid:
                del self._known[key]
                self._show(key, None)
                if known.wanted is not None:
                    if known.wanted.metadata.uid == uid:
                        self.restarted("true")
                    self._begin(key, known.wanted)

    def _want(self, key: str, known: _Known, pod: Pod | None) -> None:
        if known.ending:
            known.wanted = pod
        elif pod is None or pod.metadata.uid != known.pod.metadata.uid:
            _log.info("a static pod was " + ("withdrawn" if pod is None else "changed"), pod=key)
            known.ending, known.wanted = True, pod
            self._pods.apply(key, known.pod, None)
        elif (text := codec.encode(pod)) != known.text:  # its manifest gives it a uid: it is the same pod
            old, known.pod, known.text = known.pod, _own(pod, known.pod.metadata.annotations[SEEN]), text
            self._pods.apply(key, old, known.pod)

    def _begin(self, key: str, pod: Pod) -> None:
        own = _own(pod, times.format_micro_time(self._clock.now()))
        self._known[key] = _Known(own, codec.encode(pod))
        _log.info("a static pod was found", pod=key, uid=pod.metadata.uid)
        self._show(key, own)
        self._pods.apply(key, None, own)


def _own(pod: Pod, since: str) -> Pod:
    """The worker's own object: it writes the status into it."""
    copy = codec.decode(Pod, codec.encode(pod))
    copy.metadata.annotations = {**copy.metadata.annotations, SEEN: since}
    return copy


def _key(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
