"""The CNI plugin, its warm daemon, the bridge and IP addresses. Must not know pods beyond what CNI says, nor the API server."""
