"""Which ConfigMaps, Secrets and bundles of certificates a pod refers to: what must be read, and watched, for it."""

from collections.abc import Iterator

from api.core_v1 import Pod, ServiceAccountTokenProjection, Volume
from nodeagent.model.spec import all_containers
from nodeagent.render.settings import TokenWish

CONFIG_MAP, SECRET, BUNDLES = "ConfigMap", "Secret", "ClusterTrustBundles"
Reference = tuple[str, str]  # kind, name; of bundles those of the whole cluster, without a name
TOKEN_SECONDS = 3600


def environment_references(pod: Pod) -> set[Reference]:
    """What its containers' variables are taken from."""
    return set(_of_environment(pod))


def volume_references(pod: Pod) -> set[Reference]:
    """What its volumes show."""
    return {ref for volume in pod.spec.volumes for ref in _of_volume(volume)}


def pull_references(pod: Pod) -> set[Reference]:
    """What its images are pulled with."""
    return {(SECRET, secret.name) for secret in pod.spec.image_pull_secrets if secret.name}


def references(pod: Pod) -> set[Reference]:
    """Everything it refers to."""
    return environment_references(pod) | volume_references(pod) | pull_references(pod)


def token_wishes(pod: Pod) -> set[TokenWish]:
    """The tokens that its volumes show."""
    projected = [volume.projected for volume in pod.spec.volumes if volume.projected is not None]
    tokens = [source.service_account_token for one in projected for source in one.sources]
    return {token_wish(token) for token in tokens if token is not None}


def token_wish(token: ServiceAccountTokenProjection) -> TokenWish:
    """What one source of a volume wants."""
    return TokenWish(token.audience or "", token.expiration_seconds or TOKEN_SECONDS)


def _of_environment(pod: Pod) -> Iterator[Reference]:
    for container in all_containers(pod):
        for origin in container.env_from:
            if origin.config_map_ref is not None:
                yield CONFIG_MAP, origin.config_map_ref.name or ""
            if origin.secret_ref is not None:
                yield SECRET, origin.secret_ref.name or ""
        for variable in container.env:
            value = variable.value_from
            if value is not None and value.config_map_key_ref is not None:
                yield CONFIG_MAP, value.config_map_key_ref.name or ""
            if value is not None and value.secret_key_ref is not None:
                yield SECRET, value.secret_key_ref.name or ""


def _of_volume(volume: Volume) -> Iterator[Reference]:
    if volume.config_map is not None:
        yield CONFIG_MAP, volume.config_map.name or ""
    if volume.secret is not None:
        yield SECRET, volume.secret.secret_name or ""
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.config_map is not None:
            yield CONFIG_MAP, source.config_map.name or ""
        if source.secret is not None:
            yield SECRET, source.secret.name or ""
        if source.cluster_trust_bundle is not None:
            yield BUNDLES, ""
