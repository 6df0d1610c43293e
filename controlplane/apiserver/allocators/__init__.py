"""Who has which Service address and node port. Pure bookkeeping.

What a Service asks of it stands in `admission/services.py`, what is written of it in `beside.py`.
"""
