"""The agent's own HTTP API: logs, pods, connections into containers, health, metrics. Must not change what runs here."""
