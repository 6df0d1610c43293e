"""The ConfigMap kube-root-ca.crt in every namespace, by which pods know the API server."""
