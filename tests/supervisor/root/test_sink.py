"""Where log lines end up, and that nobody who does not read them can hold up the root."""

import fcntl
import os

import pytest
from hypothesis import example, given

from supervisor.log_file import relayed
from supervisor.root.options import Echo
from supervisor.root.sink import Sink, for_people
from tests.kit.spoiled import contents

LINE = b'{"ts":"2026-01-02T03:04:05.678Z","level":"info","logger":"x","pid":1,"event":"serving","seq":7,"why":"a b"}'


class Lines:
    """A log file's face."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.written.append(line)


def test_a_line_is_shown_to_people_as_time_level_event_and_the_rest() -> None:
    assert for_people(LINE) == b'03:04:05 info    serving  seq=7 why="a b"'


@pytest.mark.parametrize(("value", "shown"), [("0.05187505080357822", "0.05188"), ("12.0", "12"), ("86400.5", "86400")])
def test_a_number_is_shown_with_the_digits_that_tell_something(value: str, shown: str) -> None:
    line = f'{{"event":"waiting","delay_s":{value}}}'.encode()
    assert for_people(line).endswith(f"delay_s={shown}".encode())


def test_a_librarys_words_are_shown_as_they_are() -> None:
    assert for_people(b'{"event":"stderr","bytes":5,"text":"hello"}') == b"hello"


def test_what_is_no_structured_line_is_shown_as_it_is() -> None:
    assert for_people(b"[1, 2") == b"[1, 2"
    assert for_people(b"[1, 2]") == b"[1, 2]"


@pytest.mark.parametrize(("echo", "shown"), [(Echo.JSON, LINE + b"\n"), (Echo.TEXT, for_people(LINE) + b"\n")])
def test_a_line_goes_to_the_file_and_to_whoever_watches(echo: Echo, shown: bytes) -> None:
    reader, writer = os.pipe()
    file = Lines()
    Sink(file, echo, writer).stream.write(LINE + b"\n")
    assert file.written == [LINE]
    assert os.read(reader, 4096) == shown
    os.close(reader)
    os.close(writer)


def test_without_an_echo_only_the_file_gets_it() -> None:
    reader, writer = os.pipe()
    file = Lines()
    Sink(file, Echo.NONE, writer).take(LINE)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert file.written == [LINE]


def test_a_pipe_that_nobody_reads_holds_nobody_up() -> None:
    reader, writer = os.pipe()
    file = Lines()
    sink = Sink(file, Echo.JSON, writer)
    lines = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) // 1000 + 100
    for _ in range(lines):
        sink.take(b"x" * 1000)
    assert len(file.written) == lines
    os.close(reader)
    sink.take(b"to nobody")
    os.close(writer)
    sink.take(b"to a closed descriptor")
    assert len(file.written) == lines + 2


def test_what_a_runtime_prints_is_attributed_to_it() -> None:
    file = Lines()
    Sink(file, Echo.NONE).relay(b"Segmentation fault")
    assert b'"logger":"runtime"' in file.written[0]
    assert b"Segmentation fault" in file.written[0]


@given(line=contents([LINE, b'{"event":"stderr","bytes":5,"text":"hello"}']))
@example(line=b'{"event":"x","level":[1]}')
@example(line=b'{"event":"x","level":null,"ts":null,"pid":' + b"[" * 300 + b"]" * 300 + b"}")
@example(line=b'{"event":"x","a":' + b"[" * 300 + b"]" * 300 + b"}")
def test_whatever_a_runtime_prints_is_shown_on_one_line(line: bytes) -> None:
    one = line.replace(b"\n", b" ")
    assert b"\n" not in relayed(one, "runtime")
    for_people(relayed(one, "runtime"))
    for_people(one)
