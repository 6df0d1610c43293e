"""The only door to the container runtime: a port, the real one over gRPC, and a fake. Must not decide anything."""
