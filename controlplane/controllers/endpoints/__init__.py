"""Endpoints: the older form of EndpointSlices, one object a Service, still written for those who read it."""
