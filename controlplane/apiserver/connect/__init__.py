"""Connections through the API server: to agents (exec, attach, port-forward, logs) and to pods, services and nodes (proxy).

`actions/connections.py` and `actions/proxies.py` say what a call means; the modules here know how bytes get there and back.
"""
