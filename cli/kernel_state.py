"""What the programs put into the kernel: removed by those who know it."""

from cli.layout import Layout


def remove_rules(layout: Layout) -> list[Exception]:
    """Remove rules and links of the pod network; what could not be removed."""
    from cni.removal import remove_all

    try:
        remove_all(str(layout.lib / "cni"))
    except ExceptionGroup as group:
        return list(group.exceptions)
    return []
