"""The only door to the API server: requests, watches, informers, a fake. Must not hold policy or touch the kernel."""
