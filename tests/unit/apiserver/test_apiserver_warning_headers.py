"""Warning headers: once each, escaped, and never more than clients take."""

from controlplane.apiserver.warning_headers import LONGEST, SHORT, render


def texts(*given: str) -> list[str]:
    return [value for _, value in render(given)]


def test_each_text_once_and_none_that_is_empty() -> None:
    assert texts("a", "b", "a", "") == ['299 - "a"', '299 - "b"']


def test_quotation_marks_and_backslashes() -> None:
    assert texts('a "b" \\') == ['299 - "a \\"b\\" \\\\"']


def test_what_no_header_can_hold_is_left_out() -> None:
    assert texts("a\r\nb: c", "d", "\ud800", "é") == ['299 - "d"', '299 - "é"']


def test_long_ones_are_whole_while_all_fit() -> None:
    assert texts("x" * (LONGEST - 1), "y") == [f'299 - "{"x" * (LONGEST - 1)}"', '299 - "y"']


def test_too_much_is_told_in_pieces() -> None:
    told = texts("x" * LONGEST, "y" * 300)
    assert told == [f'299 - "{"x" * SHORT}"', f'299 - "{"y" * SHORT}"']


def test_after_the_limit_the_rest_is_left_out() -> None:
    told = texts(*(f"{number:03d}" + "x" * 297 for number in range(100)))
    assert len(told) == LONGEST // SHORT
