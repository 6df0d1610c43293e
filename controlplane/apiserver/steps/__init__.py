"""The steps of a request, a file each; their order stands in `controlplane.apiserver.pipeline`."""
