"""Configuration: typed, camelCase, and wrong fields are named."""

from pathlib import Path

import pytest

from kit.config import ConfigError, Section, load, parse


class Pki(Section):
    ca_cert: str
    days: int = 365


class Config(Section):
    node_name: str
    pki: Pki = Pki(ca_cert="ca.crt")
    max_pods: int = 110
    extra: list[Pki] = []


def test_good() -> None:
    assert parse(Config, "nodeName: n1\npki: {caCert: x}\nextra: [{caCert: z, days: 3}]\n", "f") == Config(
        node_name="n1", pki=Pki(ca_cert="x"), extra=[Pki(ca_cert="z", days=3)]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nodeName: n1\nmaxPod: 3", "cannot use f: unknown field maxPod (did you mean maxPods?)"),
        ("nodeName: n1\npki: {caCert: x, day: 3}", "cannot use f: unknown field pki.day (did you mean days?)"),
        ("nodeName: n1\nxyz: 3", "cannot use f: unknown field xyz"),
        ("maxPods: 3", "cannot use f: field nodeName is missing"),
        ("nodeName: n1\npki: {}", "cannot use f: field pki.caCert is missing"),
        ("nodeName: n1\nmaxPods: many", "cannot use f: field maxPods: expected `int`, got `str`"),
        ("nodeName: n1\nextra: [{caCert: 3}]", "cannot use f: field extra[0].caCert: expected `str`, got `int`"),
        ("", "cannot use f: field nodeName is missing"),
        ("[1]", "cannot use f: expected `object`, got `array`"),
        ("a: [", "cannot read f: "),
        ("nodeName: a\nnodeName: b", "cannot read f: key 'nodeName' is there twice (line 2, column 1)"),
        ("nodeName: a\n---\nnodeName: b", "cannot read f: one document expected, found 2"),
    ],
)
def test_bad(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Config, text, "f")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_load(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("nodeName: n1")
    assert load(Config, file).node_name == "n1"
    with pytest.raises(ConfigError, match=r"cannot read .*none.yaml: No such file or directory"):
        load(Config, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(Config, tmp_path)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        load(Config, file)
