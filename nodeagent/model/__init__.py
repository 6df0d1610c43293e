"""What the node agent knows about pods: seen facts and memory. Must not do I/O."""
