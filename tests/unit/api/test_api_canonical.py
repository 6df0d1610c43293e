"""Quantities inside objects: rewritten wherever they are, and refused where text is none."""

from typing import Any

import pytest

from api import codec, kinds
from api.defaults.quantities import canonical_quantities


def canonical(kind: kinds.Kind[Any], **fields: Any) -> dict[str, Any]:
    obj = codec.from_dict(kind, fields)
    canonical_quantities(obj)
    return codec.to_dict(obj)


def container(**resources: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "resources": resources}]}


def test_resource_lists_have_thousandths() -> None:
    given = container(limits={"cpu": 0.5, "memory": " 1024Mi "}, requests={"cpu": "100001u"})
    wanted = container(limits={"cpu": "500m", "memory": "1Gi"}, requests={"cpu": "101m"})
    assert canonical(kinds.POD, spec=given)["spec"] == wanted


def test_quantities_alone_and_in_templates() -> None:
    volume = {"name": "v", "emptyDir": {"sizeLimit": "2048Ki"}}
    template = {"spec": {"volumes": [volume], "overhead": {"cpu": "0.25"}}}
    got = canonical(kinds.DEPLOYMENT, spec={"template": template})["spec"]["template"]["spec"]
    assert got["volumes"] == [{"name": "v", "emptyDir": {"sizeLimit": "2Mi"}}]
    assert got["overhead"] == {"cpu": "250m"}


def test_ranges_of_quantities() -> None:
    limits = [{"type": "Container", "max": {"cpu": "2000m"}, "default": {"memory": "1048576Ki"}}]
    got = canonical(kinds.LIMIT_RANGE, spec={"limits": limits})["spec"]["limits"]
    assert got == [{"type": "Container", "max": {"cpu": "2"}, "default": {"memory": "1Gi"}}]


@pytest.mark.parametrize("text", ["nonsense", "1x", "", " ", "--1", "1e5000"])
def test_text_that_is_none(text: str) -> None:
    with pytest.raises(codec.DecodeError, match="quantities must match the regular expression") as refused:
        canonical(kinds.POD, spec=container(limits={"cpu": text}))
    assert refused.value.field == "limits"
    with pytest.raises(codec.DecodeError) as refused:
        canonical(kinds.POD, spec={"volumes": [{"name": "v", "emptyDir": {"sizeLimit": text}}]})
    assert refused.value.field == "sizeLimit"


def test_nothing_to_rewrite_stays_as_it_is() -> None:
    assert canonical(kinds.POD, spec=container()) == canonical(kinds.POD, spec=container(limits={}, requests=None))
