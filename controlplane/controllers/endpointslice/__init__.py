"""EndpointSlices: the pods behind each Service, in portions of at most 100."""
