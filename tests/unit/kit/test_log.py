"""One line for each thing said, in three styles, and nothing for what is off."""

import io
import json

import pytest

from kit import log


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def restored() -> object:
    before = (log._Output.level, log._Output.style, log._Output.stream)
    yield
    log._Output.level, log._Output.style, log._Output.stream = before


def test_logfmt(out: io.StringIO) -> None:
    log.configure("info", "logfmt", out)
    log.get("proxy", node="n1").info(
        "programmed", services=3, took=0.00012345, name='a "b"', empty="", none=None, ok=True
    )
    line = out.getvalue()
    assert line.endswith(
        'level=info logger=proxy msg=programmed node=n1 services=3 took=0.00012345 name="a \\"b\\"" empty="" none=null ok=true\n'
    )
    assert line.startswith("time=20") and line.count("\n") == 1


def test_json(out: io.StringIO) -> None:
    log.configure("debug", "json", out)
    log.get("a").bind(pod="x").debug("it's said", items=[1, b"two", {"k": ValueError("bad")}], level="mine")
    said = json.loads(out.getvalue())
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "debug",
        "logger": "a",
        "message": "it's said",
        "pod": "x",
        "items": [1, "two", {"k": "ValueError: bad"}],
    }


@pytest.mark.parametrize("style", ["text", "logfmt", "json"])
def test_a_line_break_in_a_value_stays_in_its_line(out: io.StringIO, style: log.Style) -> None:
    log.configure("info", style, out)
    log.get("a").info("said", text="one\ntwo\x1b[31m")
    assert out.getvalue().count("\n") == 1 and "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("level", "said"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(out: io.StringIO, level: str, said: int) -> None:
    log.configure(level, "logfmt", out)
    logger = log.get("a")
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    logger.error("e")
    assert out.getvalue().count("\n") == said
    assert logger.enabled(log.INFO) is (level in ("debug", "info"))


def test_exception_has_a_trace(out: io.StringIO) -> None:
    log.configure("info", "text", out)
    try:
        raise KeyError("lost")
    except KeyError:
        log.get("a").exception("failed", pod="x")
    log.get("a").exception("passed on", error=ValueError("given"))
    text = out.getvalue()
    assert "failed pod=x error=" in text and "test_exception_has_a_trace" in text and "ValueError: given" in text


def test_unknown_level() -> None:
    with pytest.raises(ValueError, match="one of debug, info, warning, error"):
        log.configure("loud")


def test_a_closed_stream_does_not_stop_the_program(out: io.StringIO) -> None:
    log.configure("info", "text", out)
    out.close()
    log.get("a").error("nobody hears")
