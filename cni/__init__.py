"""The CNI plugin, its warm daemon, the bridge and IP addresses; the network between nodes. Must not decide what runs where.

The plugin knows no pods beyond what CNI says. Only `network` talks to the API server, for the fabric.
"""


def cleanup(data_dir: str) -> None:
    """Remove all that the pod network made on this host: bridge, tables, allocations."""
    from cni.removal import remove_all  # not at the top: the stand-alone plugin starts here

    remove_all(str(data_dir))
