"""The cluster as the scheduler believes it to be.

A placement is assumed before the API server has confirmed it: the pod counts on its node at once, so that the next pod sees the room taken.
The assumption ends when the pod is seen bound (to whichever node), is deleted, or the binding failed. A pod counts while it is bound or
assumed and not finished; pods of nodes that are not known yet are kept and counted when the node appears.
"""

from __future__ import annotations

from controlplane.scheduler.model import Node, NodeState, Pod


class Cluster:
    """Nodes with their accounts, and which pods are only assumed."""

    def __init__(self) -> None:
        self._states: dict[str, NodeState] = {}
        self._order: list[NodeState] = []
        self._homes: dict[str, str] = {}
        self._homeless: dict[str, dict[str, Pod]] = {}
        self._assumed: dict[str, str] = {}

    @property
    def nodes(self) -> list[NodeState]:
        """All nodes; not to be changed by the caller."""
        return self._order

    def set_node(self, node: Node) -> None:
        """A node appeared or its facts changed; its account stays."""
        state = self._states.get(node.name)
        if state is not None:
            state.node = node
            return
        state = NodeState(node, self._homeless.pop(node.name, {}).values())
        self._states[node.name] = state
        self._order.append(state)

    def drop_node(self, name: str) -> None:
        """The node is gone; its pods are remembered, for it may come back."""
        state = self._states.pop(name, None)
        if state is not None:
            self._order.remove(state)
            if state.pods:
                self._homeless[name] = state.pods

    def assume(self, pod: Pod, node: str) -> None:
        """Count the pod on `node` before the API server knows."""
        self._assumed[pod.key] = pod.uid
        self._place(pod, node)

    def assumed(self, key: str, uid: str) -> bool:
        """Whether this very pod is placed but not yet seen bound."""
        return self._assumed.get(key) == uid

    def forget(self, key: str, uid: str) -> None:
        """The binding failed: the pod no longer counts, unless it was seen bound meanwhile."""
        if self.assumed(key, uid):
            self.remove_pod(key)

    def see_pod(self, pod: Pod) -> None:
        """The API server's word about a pod; it ends an assumption unless it is older than that."""
        if pod.finished:
            self.remove_pod(pod.key)
        elif pod.node:
            self._assumed.pop(pod.key, None)
            self._place(pod, pod.node)
        elif not self.assumed(pod.key, pod.uid):
            self.remove_pod(pod.key)

    def remove_pod(self, key: str) -> None:
        """The pod is gone or finished."""
        self._assumed.pop(key, None)
        home = self._homes.pop(key, None)
        if home is None:
            return
        state = self._states.get(home)
        if state is not None:
            state.remove(key)
        elif home in self._homeless:
            self._homeless[home].pop(key, None)
            if not self._homeless[home]:
                del self._homeless[home]

    def _place(self, pod: Pod, node: str) -> None:
        home = self._homes.get(pod.key)
        if home is not None and home != node:
            assumed = self._assumed.get(pod.key)
            self.remove_pod(pod.key)
            if assumed is not None:
                self._assumed[pod.key] = assumed
        self._homes[pod.key] = node
        state = self._states.get(node)
        if state is not None:
            state.add(pod)
        else:
            self._homeless.setdefault(node, {})[pod.key] = pod
