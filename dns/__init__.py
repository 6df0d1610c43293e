"""Cluster DNS (its issue comes later). Must not import another program."""
