"""supervisor/logs.py: what a line looks like, which lines are written, and that logging harms nobody."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor import logs


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Everything from `info` on goes to a stream; the function reads it."""
    stream = io.BytesIO()
    logs.configure_to_stream(stream, "info", "")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.quiet()


Lines = Callable[[], list[dict[str, Any]]]


def test_a_line_is_one_json_object_with_time_level_logger_and_event_first(lines: Lines) -> None:
    logs.get_logger("supervision").warning("restarted", actor="tasks", restarts=3)
    (line,) = lines()
    assert list(line) == ["ts", "level", "logger", "pid", "event", "actor", "restarts"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert (line["level"], line["logger"], line["event"], line["restarts"]) == (
        "warning",
        "supervision",
        "restarted",
        3,
    )


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    logger = logs.get_logger("supervision")
    logger.debug("no")
    logger.info("yes")
    assert [line["event"] for line in lines()] == ["yes"]


def test_debug_lines_of_a_namespace_are_switched_on_by_glob(lines: Lines) -> None:
    logs.select("info", "persistence:*, gateway -persistence:fsync")
    for namespace in ("persistence:journal", "persistence:fsync", "persistence", "gateway", "gateway:pump"):
        logs.get_logger(namespace).debug("detail")
    assert [line["logger"] for line in lines()] == ["persistence:journal", "gateway"]


def test_an_exclusion_leaves_lines_of_the_level_alone(lines: Lines) -> None:
    logs.select("info", "*,-noisy")
    logs.get_logger("noisy").info("still told")
    assert len(lines()) == 1


def test_every_level_and_its_other_words_are_written(lines: Lines) -> None:
    logger = logs.get_logger("x")
    for method in ("info", "warning", "warn", "error", "exception", "critical", "fatal"):
        getattr(logger, method)(method)
    assert [line["level"] for line in lines()] == [
        "info",
        "warning",
        "warning",
        "error",
        "error",
        "critical",
        "critical",
    ]


def test_a_logger_made_before_the_configuration_follows_it() -> None:
    logs.quiet()
    logger = logs.get_logger("early")
    logger.error("into nothing")
    stream = io.BytesIO()
    logs.configure_to_stream(stream, "info", "")
    logger.error("seen")
    logs.quiet()
    assert stream.getvalue().count(b"\n") == 1


def test_secrets_are_masked_in_values_texts_and_exceptions(lines: Lines) -> None:
    try:
        raise ValueError("API_KEY=sk-exception")
    except ValueError:
        logs.get_logger("x").exception("TOKEN=sk-event", environment={"OPENAI_API_KEY": "sk-value"}, max_tokens=5)
    (line,) = lines()
    assert "sk-" not in json.dumps(line)
    assert line["max_tokens"] == 5
    assert "ValueError" in line["exception"]


class _Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def _containing_itself() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [2**70, "\ud800", _containing_itself(), _Unshowable(), b"\xff", {1: 2}, {"deep": [object()]}, float("nan")],
    ids=["big", "surrogate", "itself", "unshowable", "bytes", "number as key", "object", "nan"],
)
def test_any_value_can_be_logged(lines: Lines, value: object) -> None:
    logs.get_logger("x").info("odd", value=value, password="hunter2")
    (line,) = lines()
    assert line["event"] == "odd"
    assert "hunter2" not in json.dumps(line)


def test_a_line_feed_in_a_message_makes_no_second_line(lines: Lines) -> None:
    logs.get_logger("x").info("a\nb\u2028c")
    assert [line["event"] for line in lines()] == ["a\nb\u2028c"]


def test_a_closed_stream_disturbs_nobody() -> None:
    stream = io.BytesIO()
    logs.configure_to_stream(stream, "info", "")
    stream.close()
    logs.get_logger("x").error("into nothing")
    logs.quiet()


def test_lines_go_to_the_file_and_the_file_is_given_back(tmp_path: Path) -> None:
    file = logs.configure_to_file(tmp_path / "logs" / "perdure.log", "info", "", rotate_bytes=10_000, rotated_kept=1)
    logs.get_logger("x").info("here")
    file.write(b'{"event":"from a child"}')
    logs.quiet()
    file.close()
    written = (tmp_path / "logs" / "perdure.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in written] == ["here", "from a child"]
