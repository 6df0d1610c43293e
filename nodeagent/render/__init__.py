"""Turns a pod into what the runtime is told (CRI messages, files). Must not do I/O."""
