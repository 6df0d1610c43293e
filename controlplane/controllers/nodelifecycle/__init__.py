"""Nodes that fall silent: their conditions, their taints, and the pods that must leave them."""
