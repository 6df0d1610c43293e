"""YAML as Kubernetes reads it."""

import pytest

from kit import documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True), ("yes", True), ("No", False), ("off", False), ("y", True), ("n", False), ("oN", "oN"), ("yup", "yup"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("12", 12), ("-3", -3), ("+3", 3), ("0x1f", 31), ("0o17", 15), ("0644", 420), ("-010", -8), ("0b11", 3), ("0", 0), ("1_000", 1000),
        ("1.5", 1.5), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5e-3", -0.0015), ("08", 8.0),
        ("2020-01-01", "2020-01-01"), ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"), ("1:30", "1:30"), ("1.2.3", "1.2.3"),
        ("v1", "v1"), ("10.0.0.1", "10.0.0.1"), ("='x'", "='x'"), ("'12'", "12"), ('"true"', "true"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    assert documents.read(f"a: {text}") == {"a": value}
    assert type(documents.read(f"a: {text}")["a"]) is type(value)


def test_keys_are_text() -> None:
    assert documents.read("y: 1\n2: 3\n1.5: x\n80: {}") == {"true": 1, "2": 3, "1.5": "x", "80": {}}


def test_many_documents_anchors_and_json() -> None:
    assert documents.read_all("a: 1\n---\n---\n# nothing\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert documents.read("p: &x {a: 1}\nq: {<<: *x, b: 2}") == {"p": {"a": 1}, "q": {"a": 1, "b": 2}}
    assert documents.read('{"a": [1, "two", null]}') == {"a": [1, "two", None]}


@pytest.mark.parametrize(
    "text", ["a: [", "a: 1\na: 2", "\tb", "a: *x", "!!python/object:os.system x", "? [a]\n: b", b"\xff\xff"]
)
def test_bad(text: str) -> None:
    with pytest.raises(documents.DocumentError):
        documents.read(text)


def test_what_is_written_reads_the_same() -> None:
    document = {
        "a": [
            "on",
            "12",
            12,
            None,
            True,
            1.5,
            "x: y",
            "é",
            "1e3",
            "null",
            "0o17",
            "2020-01-01",
            "y",
            "0644",
            "1_0",
            "",
            " x",
            "<<",
            "=",
            ".inf",
            "-",
        ],
        "b": {"c": "line\nline\n"},
    }
    assert documents.read(documents.write(document)) == document


def test_aliases_cannot_blow_up() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    with pytest.raises(documents.DocumentError, match="aliases"):
        documents.read(laughs)
    with pytest.raises(documents.DocumentError, match="aliases"):
        documents.read("a: &x {b: *x}")


def test_depth_is_bounded() -> None:
    for text in (
        "[" * 100_000,
        "{a: " * 1000,
        "- " * 1000,
        "? " * 1000,
        "\n".join(" " * i + "a:" for i in range(1000)),
    ):
        with pytest.raises(documents.DocumentError):
            documents.read(text)
    assert documents.read("[" * 190 + "]" * 190) and len(documents.read("- a: [b, {c: d}]\n" * 1000)) == 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a {x: 1, w: 2}\nb: {<<: *a, w: 3}", {"x": 1, "w": 3}),
        ("a: &a {x: 1}\nb: {<<: [*a, {x: 5, z: 1}]}", {"x": 1, "z": 1}),
        ("b: &b {x: 1, <<: *b}", {"x": 1}),
    ],
)
def test_merged_keys(text, expected):
    assert documents.read(text)["b"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "a: !!float ''",
        "<<: 7",
        "a: &a {" + ", ".join(f"k{n}: 1" for n in range(5000)) + "}\nb: {<<: [" + ", ".join(["*a"] * 5000) + "]}",
    ],
)
def test_what_once_was_a_crash_or_took_for_ever(text):
    with pytest.raises(documents.DocumentError):
        documents.read(text)


def test_a_time_is_text_also_when_it_says_that_it_is_one():
    assert documents.read("a: !!timestamp x") == {"a": "x"}
