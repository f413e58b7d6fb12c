"""A checksum that is computed by a thread beside the reading."""

import hashlib
import threading
from collections.abc import Iterator

import pytest

from actors.storage.checksum_beside import CHUNKS_MAX, ChecksumBeside


@pytest.fixture
def thread_refused() -> Iterator[None]:
    """The system gives no thread: none with a stack of that size."""
    before = threading.stack_size(1 << 46)
    yield
    threading.stack_size(before)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "checksum"]


def test_it_is_the_sum_of_all_chunks_in_their_order() -> None:
    chunks = [bytes([number]) * 10_000 for number in range(5 * CHUNKS_MAX)]
    with ChecksumBeside() as checksum:
        for chunk in chunks:
            checksum.take(chunk)
        assert checksum.hexdigest() == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert not _threads()


def test_of_nothing_it_is_the_sum_of_nothing() -> None:
    with ChecksumBeside() as checksum:
        assert checksum.hexdigest() == hashlib.sha256().hexdigest()


@pytest.mark.usefixtures("thread_refused")
def test_without_a_thread_to_be_had_it_is_computed_all_the_same() -> None:
    with ChecksumBeside() as checksum:
        checksum.take(b"one")
        checksum.take(b"two")
        assert not _threads()
        assert checksum.hexdigest() == hashlib.sha256(b"onetwo").hexdigest()


def test_its_thread_has_ended_when_the_reading_failed() -> None:
    with pytest.raises(OSError, match="the disk is gone"), ChecksumBeside() as checksum:
        checksum.take(b"a chunk")
        raise OSError("the disk is gone")
    assert not _threads()
