"""Container images as one tar file each (OCI image layout), made of Python alone. The same content gives the same bytes."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class File:
    """A file of an image: its content, or where a symbolic link points."""

    content: bytes = b""
    mode: int = 0o755
    link: str = ""


@dataclass(frozen=True)
class Recipe:
    """What an image is made of; folders come by themselves."""

    name: str
    machine: str
    files: Mapping[str, File]
    entrypoint: Sequence[str]
    ports: Sequence[str] = ()
    folders: Sequence[str] = ()
    environment: Sequence[str] = field(default=("PATH=/bin",))
    command: Sequence[str] = ()  # what runs unless a container has arguments


@dataclass(frozen=True)
class Image:
    """A built image: its name, the digest of its manifest, and the archive."""

    name: str
    digest: str
    archive: bytes


def build(recipe: Recipe) -> Image:
    """Build one image of one layer."""
    layer = _tar({**dict.fromkeys(recipe.folders), **recipe.files})
    packed = gzip.compress(layer, mtime=0)
    architecture = ARCHITECTURES[recipe.machine]
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": list(recipe.entrypoint),
                "Cmd": list(recipe.command),
                "Env": list(recipe.environment),
                "ExposedPorts": {port: {} for port in recipe.ports},
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [_descriptor(LAYER, packed)],
        }
    )
    annotations = {"io.containerd.image.name": recipe.name, "org.opencontainers.image.ref.name": recipe.name}
    described = {**_descriptor(MANIFEST, manifest), "annotations": annotations}
    index = _json({"schemaVersion": 2, "manifests": [{**described, "platform": _platform(architecture)}]})
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": File(blob, 0o644) for blob in (packed, config, manifest)}
    layout = {"oci-layout": File(_json({"imageLayoutVersion": "1.0.0"}), 0o644), "index.json": File(index, 0o644)}
    return Image(recipe.name, _digest(manifest), _tar({**layout, **blobs}))


def _tar(files: Mapping[str, File | None]) -> bytes:
    """A tar with every folder before its files; a value of None is an empty folder."""
    folders = {path for path, file in files.items() if file is None}
    for path in files:
        parts = path.split("/")[:-1]
        folders |= {"/".join(parts[: length + 1]) for length in range(len(parts))}
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for path, file in sorted((path, file) for path, file in files.items() if file is not None):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = file.mode, len(file.content)
            if file.link:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.link
            tar.addfile(entry, io.BytesIO(file.content))
    return output.getvalue()


def _platform(architecture: str) -> dict[str, str]:
    return {"architecture": architecture, "os": "linux"}


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
