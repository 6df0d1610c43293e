"""Pods that nobody would ever remove: of vanished nodes, too many finished ones, deleted before they had a node."""
