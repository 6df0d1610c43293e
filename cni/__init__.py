"""The CNI plugin, its warm daemon, the bridge and IP addresses. Must not know pods beyond what CNI says, nor the API server."""


def cleanup(data_dir: str) -> None:
    """Remove all that the pod network made on this host: bridge, tables, allocations."""
    from cni.removal import remove_all  # not at the top: the stand-alone plugin starts here

    remove_all(str(data_dir))
