"""What the proxy knows: small extracts of Services and EndpointSlices, facts about the node. Does no I/O."""
