"""A runtime's output: every line, to the last one, within bounds."""

import os

import trio
import trio.testing

from supervisor.root.output import LINE_BYTES_MAX, Output


async def test_lines_are_passed_on_as_they_come_and_the_rest_at_the_end() -> None:
    lines: list[bytes] = []
    output = Output(lines.append)
    os.write(output.writer_fd, b"one\n\ntwo\nand ha")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.relay)
        await trio.testing.wait_all_tasks_blocked()
        assert lines == [b"one", b"two"]
        os.write(output.writer_fd, b"lf\nlast words")
        nursery.cancel_scope.cancel()
    output.close()
    assert lines == [b"one", b"two", b"and half", b"last words"]
    assert output.last_line == b"last words"
    output.close()


async def test_the_end_of_the_pipe_ends_the_relay() -> None:
    output = Output(lambda _line: None)
    output.close_writer()
    await output.relay()
    output.close()


async def test_output_without_a_newline_is_passed_on_in_pieces() -> None:
    lines: list[bytes] = []
    output = Output(lines.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.relay)
        os.set_blocking(output.writer_fd, False)
        left = 4 * LINE_BYTES_MAX
        while left:
            await trio.lowlevel.wait_writable(output.writer_fd)
            left -= os.write(output.writer_fd, b"x" * min(left, 4096))
        output.close_writer()
    output.close()
    assert b"".join(lines) == b"x" * 4 * LINE_BYTES_MAX
    assert max(map(len, lines)) <= 2 * LINE_BYTES_MAX


async def test_a_stack_dump_is_waited_for_until_it_is_over(autojump_clock: trio.testing.MockClock) -> None:
    output = Output(lambda _line: None)
    started_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.relay)

        async def dump() -> None:
            await trio.sleep(3)
            os.write(output.writer_fd, b"Current thread 0x1 (most recent call first):\n")
            await trio.testing.wait_all_tasks_blocked()
            os.write(output.writer_fd, b"  File x\n")

        nursery.start_soon(dump)
        await output.dumped(quiet_s=0.5, within_s=60)
        assert 3 <= trio.current_time() - started_s < 10
        nursery.cancel_scope.cancel()
    output.close()


async def test_a_stack_dump_that_never_comes_is_not_waited_for_longer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    output = Output(lambda _line: None)
    started_s = trio.current_time()
    await output.dumped(quiet_s=0.1, within_s=1)
    assert trio.current_time() - started_s == 1
    output.close()
