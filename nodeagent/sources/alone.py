"""What stands where the API server is missing: nothing can be referred to, nobody is told, and the log gets the Events."""

from api.core_v1 import ObjectReference, Pod, PodStatus
from kit import log
from nodeagent.render.references import Reference
from nodeagent.render.settings import Sources

_log = log.get("events")


class NoObjects:
    """There are no ConfigMaps, Secrets or Services; manifests that refer to one are refused."""

    def hold(self, pod: Pod, references: set[Reference]) -> None:
        """Nothing to watch."""

    def release(self, uid: str) -> None:
        """Nothing was watched."""

    async def sources(self, pod: Pod, references: set[Reference]) -> Sources:
        """Nothing."""
        return Sources()


class NoReporter:
    """Statuses stay with the workers, where the agent's own API shows them."""

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """Nobody to tell."""

    def observed(self, pod: Pod) -> None:
        """Nobody shows anything."""

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """Nobody to tell."""

    def forget(self, uid: str) -> None:
        """Nothing is kept."""


class LoggedEvents:
    """Events as lines of the log."""

    def record(self, about: ObjectReference, type: str, reason: str, message: str) -> None:  # noqa: A002 - the field's name
        """Write one."""
        say = _log.info if type == "Normal" else _log.warning
        say(message, reason=reason, kind=about.kind, object="/".join(filter(None, (about.namespace, about.name))))
