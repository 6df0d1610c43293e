"""Deletes what has lost its owners, and lets owners go that wait for what they own."""
