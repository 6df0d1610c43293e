"""The API server: one ordered list of steps over a cache of bytes. Must not touch the kernel, the runtime or a node by itself."""
