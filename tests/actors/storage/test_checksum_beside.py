"""A checksum that is computed by a thread beside the reading."""

import hashlib
import threading

import pytest

from actors.storage.checksum_beside import CHUNKS_MAX, ChecksumBeside


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


def test_its_thread_has_ended_when_the_reading_failed() -> None:
    with pytest.raises(OSError, match="the disk is gone"), ChecksumBeside() as checksum:
        checksum.take(b"a chunk")
        raise OSError("the disk is gone")
    assert not _threads()
