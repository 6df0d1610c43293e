"""A registry with one image, for those who can prove who they are."""

import base64
import hashlib
import io
import json
import tarfile

from cli.images.archive import MANIFEST
from kit.http.model import Request, Response
from kit.http.server import Server


class Registry:
    """See the module; `proofs` are those that were shown, good and bad."""

    def __init__(self, archive: bytes, name: str, user: str, password: str) -> None:
        self.name = name
        self.proofs: set[str] = set()
        self.server = Server(self._serve, "127.0.0.1", 0)
        self._good = f"{user}:{password}"
        with tarfile.open(fileobj=io.BytesIO(archive)) as layout:
            files = {entry.name: layout.extractfile(entry) for entry in layout.getmembers() if entry.isfile()}
            blobs = [file.read() for name, file in files.items() if file is not None and name.startswith("blobs/")]
            index = files["index.json"]
            assert index is not None
            self._newest = json.loads(index.read())["manifests"][0]["digest"]
        self._blobs = {"sha256:" + hashlib.sha256(blob).hexdigest(): blob for blob in blobs}

    @property
    def place(self) -> str:
        """The repository, as people write it."""
        return f"127.0.0.1:{self.server.port}/{self.name}"

    def _serve(self, request: Request) -> Response:
        proof = request.header("authorization").removeprefix("Basic ")
        shown = base64.b64decode(proof).decode()
        if shown:
            self.proofs.add(shown)
        if shown != self._good:
            return Response(401, headers=[("WWW-Authenticate", 'Basic realm="here"')])
        if request.path == "/v2/":
            return Response(200)
        place, _, what = request.path.removeprefix(f"/v2/{self.name}/").partition("/")
        digest = what if what in self._blobs else self._newest
        kind = MANIFEST if place == "manifests" else "application/octet-stream"
        if place not in ("manifests", "blobs"):
            return Response(404)
        return Response(200, self._blobs[digest], kind, [("Docker-Content-Digest", digest)])
