"""The kernel settings that IPVS needs, the same that upstream makes. Pure."""


def settings(release: str, strict_arp: bool) -> dict[str, str]:
    """Names and values; `release` is the kernel's, as uname prints it."""
    wanted = {
        "net.ipv4.vs.conntrack": "1",  # else nothing is masqueraded
        "net.ipv4.vs.expire_nodest_conn": "1",  # no connection to a destination that was removed
        "net.ipv4.vs.expire_quiescent_template": "1",  # no affinity to a destination that drains
    }
    if (4, 1) <= version(release) < (5, 9):  # later ones need no help with ports that are used again
        wanted["net.ipv4.vs.conn_reuse_mode"] = "0"
    if strict_arp:  # answer only where an address belongs: not for the Services'
        wanted |= {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}
    return wanted


def version(release: str) -> tuple[int, int]:
    """The first two numbers of a release such as 6.1.0-18-amd64."""
    major, minor, *_ = (*release.split("."), "0")
    digits = minor.partition("-")[0].partition("+")[0]
    return int(major) if major.isdigit() else 0, int(digits) if digits.isdigit() else 0
