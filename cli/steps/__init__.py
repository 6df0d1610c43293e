"""The steps of `up`, a file each; their order is in order.py. Must not print."""
