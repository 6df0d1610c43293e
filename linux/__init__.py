"""The only door to the kernel and to other programs: netlink, iptables, namespaces, cgroups, mounts. Must not know Kubernetes."""
