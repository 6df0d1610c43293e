"""Store, API server, scheduler and controllers. Must not touch the kernel or the container runtime."""
