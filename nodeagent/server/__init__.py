"""The agent's own HTTP API: logs, pods, health, metrics. Must not change anything."""
