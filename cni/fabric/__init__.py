"""The fabric: how pods of one node reach those of others, and nodes all pods. Must not know pods, nor decide in the kernel's part.

    nodes      what a Node object says of a node; what ours tells the others
    ways       which way leads to each network of each peer: a plain route, VXLAN or WireGuard. Pure.
    plan       from the ways and what the kernel has to a list of actions. Pure.
    rules      the nf_tables tables: masquerading of what leaves the cluster. Pure.
    openings   the way through other people's firewalls. Pure.
    kernel     looks at links, routes, neighbours and forwarding entries, and carries actions out
    fabric     the loop: somebody says that something changed, so look again

Every node decides for itself how it sends; all nodes can receive either way. What must be known of a peer follows from its
Node: addresses, podCIDRs, and its name, of which the MAC of its VXLAN links is made. Only a WireGuard key must be told.
"""
