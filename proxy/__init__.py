"""The service proxy: Services and EndpointSlices to kernel rules. Must not decide in a backend what the model can decide once."""
