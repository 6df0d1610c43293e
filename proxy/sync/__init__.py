"""The loop that sees, plans and has a backend act; its health and its metrics."""
