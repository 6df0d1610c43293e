"""What a template may lack and a pod may not."""

import pytest

from api import kinds
from api.validation import validate_create
from tests.samples import changed

TOKENS = [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}}]
FIELD = "spec.volumes[0].projected.sources[0].serviceAccountToken"


@pytest.mark.parametrize("kind", [kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.JOB], ids=lambda kind: kind.name)
def test_a_template_with_tokens_needs_no_account_yet(kind: kinds.Kind[object]) -> None:
    assert validate_create(kind, changed(kind, {"spec.template.spec.volumes": TOKENS})) == []


def test_a_pod_with_tokens_needs_an_account() -> None:
    causes = validate_create(kinds.POD, changed(kinds.POD, {"spec.volumes": TOKENS}))
    assert [cause.field for cause in causes] == [FIELD]
