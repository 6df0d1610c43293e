"""Who may use the agent's API. Pure.

Callers prove themselves by a certificate of the cluster's CA. The API server is known by its name, and by that alone: it needs no other
rights for this. Administrators may call as well, and API servers of old clusters whose certificate says that they are such.
"""

from kit.http.model import Peer, Response

API_SERVER = "kube-apiserver-kubelet-client"
MASTERS = "system:masters"
TEXT = "text/plain; charset=utf-8"


def refusal(peer: Peer | None) -> Response | None:
    """The answer to who may not call; None to who may."""
    if peer is None:
        return Response(401, b"Unauthorized", TEXT)
    if peer.common_name == API_SERVER or MASTERS in peer.organizations:
        return None
    text = f"Forbidden (user={peer.common_name}, verb=get, resource=nodes, subresource=proxy)"
    return Response(403, text.encode(), TEXT)
