"""The node agent, a kubelet on CRI.

Must not import another program (its app hosts cni's daemon), nor reach the API server except through client.
"""
