"""The node agent, a kubelet on CRI. Must not import another program (it hosts cni's daemon) or reach the API server except through client."""
