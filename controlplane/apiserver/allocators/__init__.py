"""Who has which Service address and node port. Pure bookkeeping; what a Service asks of it stands in `admission/services.py`."""
