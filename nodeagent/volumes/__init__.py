"""What pods see as files: contents, atomic writing, mounts and their removal. Must not talk to the runtime."""
