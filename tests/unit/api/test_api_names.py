"""The syntax of names."""

from collections.abc import Callable

import pytest

from api import names

RULES: dict[Callable[[str], list[str]], tuple[list[str], list[str]]] = {
    names.dns_label: (["a", "a-b", "0", "a" * 63], ["", "A", "-a", "a-", "a.b", "a_b", "a" * 64, "a\n", "é"]),
    names.dns_subdomain: (["a", "a.b", "0.a-b", "a" * 253], ["", "a..b", ".a", "a.", "A", "a" * 254, "a_b"]),
    names.dns_1035_label: (["a", "a-0"], ["0a", "", "-", "a" * 64]),
    names.label_key: (
        ["a", "A.b_c-d", "example.com/A", "0", "a" * 63],
        ["", "/", "a/", "/a", "a/b/c", "-a", "a-", "A.com/x", "a" * 64, "a b"],
    ),
    names.label_value: (["", "a", "A.b_c-0", "a" * 63], ["-", "a-", "a/b", "a b", "a" * 64, "é", "a\n"]),
    names.config_key: (["a", "A.b", "_", ".a", "a" * 253], ["", ".", "..", "..a", "a/b", "a b", "a" * 254]),
    names.port_name: (["http", "a-1"], ["", "1", "a--b", "-a", "a-", "A", "a" * 16]),
    names.environment_name: (["A", "a.b-c", "1", "a b"], ["", "a=b", "é", "\t"]),
    names.header_name: (["X-A"], ["", "X A", "X_A"]),
    names.percent: (["0%", "100%"], ["", "%", "-1%", "1", "1.5%"]),
}
CASES = [
    (rule, text, good)
    for rule, (fine, bad) in RULES.items()
    for good in (True, False)
    for text in (fine if good else bad)
]


@pytest.mark.parametrize(("rule", "text", "good"), CASES)
def test_rules(rule: Callable[[str], list[str]], text: str, good: bool) -> None:
    assert (rule(text) == []) is good


def test_numbers() -> None:
    assert names.port_number(1) == names.port_number(65535) == []
    assert names.port_number(0) == ["must be between 1 and 65535, inclusive"]
    assert names.user_id(-1) == ["must be between 0 and 2147483647, inclusive"]


@pytest.mark.parametrize(("prefix", "masked"), [("web-", "wea"), ("web", "web"), ("-", "-")])
def test_prefixes(prefix: str, masked: str) -> None:
    assert names.mask_prefix(prefix) == masked
