"""The syntax of names, labels and the like. Each check returns what is wrong, in upstream's words; nothing if all is well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LABEL_LENGTH = 63
_SUBDOMAIN_LENGTH = 253

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH_DOMAIN = rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"
_HEADER = "[-A-Za-z0-9]+"
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_search_domain = re.compile(_SEARCH_DOMAIN).fullmatch
_is_label_1035 = re.compile(_LABEL_1035).fullmatch
_is_key = re.compile(_KEY).fullmatch
_is_value = re.compile(_VALUE).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch
_is_percent = re.compile(_PERCENT).fullmatch
_is_header = re.compile(_HEADER).fullmatch
_is_identifier = re.compile(_IDENTIFIER).fullmatch
_is_printable = re.compile(r"[ -<>-~]+").fullmatch


def generate(prefix: str, rng: random.Random) -> str:
    """A name from generateName: the prefix, cut so that the whole is a DNS label, and five random characters."""
    suffix = "".join(rng.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return prefix[: _LABEL_LENGTH - _SUFFIX_LENGTH] + suffix


def dns_label(value: str) -> list[str]:
    """A DNS-1123 label: containers, namespaces, volumes, Services."""
    problems = _too_long(value, _LABEL_LENGTH, "characters")
    if not _is_label(value):
        if _is_subdomain(value):
            problems.append("must not contain dots")
        else:
            rule = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character"
            )
            problems.append(_mismatch(rule, _LABEL, "my-name", "123-abc"))
    return problems


def dns_subdomain(value: str) -> list[str]:
    """A DNS-1123 subdomain: what most objects are called."""
    problems = _too_long(value, _SUBDOMAIN_LENGTH, "characters")
    if not _is_subdomain(value):
        rule = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(_mismatch(rule, _SUBDOMAIN, "example.com"))
    return problems


def search_domain(value: str) -> list[str]:
    """A domain that names are looked up in: a subdomain whose labels may have underscores."""
    problems = _too_long(value, _SUBDOMAIN_LENGTH, "characters")
    if not _is_search_domain(value):
        rule = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start "
            "and end with an alphanumeric character"
        )
        problems.append(_mismatch(rule, _SEARCH_DOMAIN, "example.com"))
    return problems


def wildcard_subdomain(value: str) -> list[str]:
    """A subdomain under a `*`: the host of an Ingress."""
    problems = _too_long(value, _SUBDOMAIN_LENGTH, "characters")
    if not (value.startswith("*.") and _is_subdomain(value[2:])):
        rule = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
            "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        problems.append(_mismatch(rule, rf"\*\.{_SUBDOMAIN}", "*.example.com"))
    return problems


def path_segment(value: str) -> list[str]:
    """What can stand between two slashes of a path: names of roles."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in value]


def dns_1035_label(value: str) -> list[str]:
    """A DNS-1035 label: it starts with a letter."""
    problems = _too_long(value, _LABEL_LENGTH, "characters")
    if not _is_label_1035(value):
        rule = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character"
        )
        problems.append(_mismatch(rule, _LABEL_1035, "my-name", "abc-123"))
    return problems


def label_key(value: str) -> list[str]:
    """A qualified name: keys of labels and annotations, finalizers, conditions."""
    if value.count("/") > 1:
        return [
            f"a valid label key {_key_rule()} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    prefix, slash, name = value.rpartition("/")
    problems = []
    if slash:
        problems = [f"prefix part {text}" for text in (dns_subdomain(prefix) if prefix else ["must be non-empty"])]
    if not name:
        problems.append("name part must be non-empty")
    problems += [f"name part {text}" for text in _too_long(name, _LABEL_LENGTH, "bytes")]
    if not _is_key(name):
        problems.append(f"name part {_key_rule()}")
    return problems


def _key_rule() -> str:
    rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    return _mismatch(rule, _KEY, "MyName", "my.name", "123-abc")


def label_value(value: str) -> list[str]:
    """The value of a label."""
    problems = _too_long(value, _LABEL_LENGTH, "bytes")
    if not _is_value(value):
        rule = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(_mismatch(rule, _VALUE, "MyValue", "my_value", "12345"))
    return problems


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret, which becomes the name of a file."""
    problems = _too_long(value, _SUBDOMAIN_LENGTH, "characters")
    if not _is_config_key(value):
        rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        problems.append(_mismatch(rule, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        problems.append(f"must not be '{value}'")
    elif value.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def port_name(value: str) -> list[str]:
    """The name of a container's port."""
    problems = _too_long(value, 15, "characters")
    if not re.fullmatch("[-a-z0-9]+", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def environment_name(value: str) -> list[str]:
    """The name of an environment variable."""
    if not value:
        return ["environment variable name must be non-empty"]
    if not _is_printable(value):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def header_name(value: str) -> list[str]:
    """The name of an HTTP header."""
    if _is_header(value):
        return []
    rule = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [_mismatch(rule, _HEADER, "X-Header-Name")]


def c_identifier(value: str) -> list[str]:
    """What C would take as a name: attributes and capacities of devices."""
    if _is_identifier(value):
        return []
    rule = (
        "a valid C identifier must start with alphabetic character or '_', "
        "followed by a string of alphanumeric characters or '_'"
    )
    return [_mismatch(rule, _IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def percent(value: str) -> list[str]:
    """A percentage."""
    if _is_percent(value):
        return []
    rule = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_mismatch(rule, _PERCENT, "1%", "93%")]


def in_range(value: int, low: int, high: int) -> list[str]:
    """A number between two others, both allowed."""
    return [] if low <= value <= high else [f"must be between {low} and {high}, inclusive"]


def port_number(value: int) -> list[str]:
    """A port."""
    return in_range(value, 1, 65535)


def user_id(value: int) -> list[str]:
    """A user or group id."""
    return in_range(value, 0, 2**31 - 1)


def mask_prefix(prefix: str) -> str:
    """A generateName as it would look with a suffix: a trailing dash is fine."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _too_long(value: str, limit: int, unit: str) -> list[str]:
    return [f"must be no more than {limit} {unit}"] if len(value) > limit else []


def _mismatch(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"
