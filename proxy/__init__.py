"""The service proxy: Services and EndpointSlices to kernel rules. Must not decide in a backend what the model can decide once."""


def cleanup() -> list[str]:
    """Remove every trace of every backend from the kernel; what was removed. Raises ExceptionGroup for what was not."""
    from proxy.backends.choice import clean_all

    return clean_all()
