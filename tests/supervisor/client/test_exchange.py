"""What arrives on a connection: messages in order, or an OSError that ends the connection, and nothing else."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from supervisor.client.exchange import Inbox
from tests.kit.spoiled import contents

REPLY = b'{"jsonrpc":"2.0","id":1,"result":{"id":"t1","rev":1}}'
EVENT = b'{"jsonrpc":"2.0","method":"event","params":{"subscription":"s","seq":1,"events":[]}}'


@given(lines=st.lists(contents([REPLY, EVENT, b"[" + REPLY + b"]"]), max_size=3), piece_bytes=st.integers(1, 400))
def test_whatever_arrives_is_messages_or_the_end_of_the_connection(lines: list[bytes], piece_bytes: int) -> None:
    said = b"\n".join([REPLY, *lines, b""])
    inbox, heard = Inbox(), []
    with contextlib.suppress(OSError):
        for begin in range(0, min(len(said), 4000), piece_bytes):
            heard += inbox.feed(said[begin : begin + piece_bytes])
        heard += inbox.feed(said[4000:])
    assert all(isinstance(message, dict) for message in heard)
