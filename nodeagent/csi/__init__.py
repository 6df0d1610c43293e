"""Storage drivers on this node: how they register, and what they are asked for. Must not know containers."""
