"""What the node tells the cluster: itself, its lease, its pods. Must not decide about pods."""
