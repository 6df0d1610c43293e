"""Whose an interface is, in the words of a runtime of Kubernetes. Pure."""

from collections.abc import Mapping
from typing import NamedTuple


class PodInterface(NamedTuple):
    """An interface of a pod's sandbox: a pod may have several, and of its name there may be several pods, one after another."""

    pod: str
    """Namespace/name."""
    container: str
    ifname: str
    uid: str = ""
    """Of a static pod that of its manifest; empty where the runtime does not say."""


def interface_of(environment: Mapping[str, str]) -> PodInterface | None:
    """The interface that a call of the plugin is about; None: no pod's."""
    given = dict(part.partition("=")[::2] for part in environment.get("CNI_ARGS", "").split(";"))
    namespace, name = given.get("K8S_POD_NAMESPACE", ""), given.get("K8S_POD_NAME", "")
    container, ifname = environment.get("CNI_CONTAINERID", ""), environment.get("CNI_IFNAME", "")
    if not namespace or not name or ifname == "lo":
        return None
    return PodInterface(f"{namespace}/{name}", container, ifname, given.get("K8S_POD_UID", ""))
