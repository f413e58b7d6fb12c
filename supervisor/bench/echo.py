"""A server that only answers: so many bytes for each line it reads. What the load generator reaches here is its limit.

`python -m supervisor.bench.echo SOCKET REPLY_BYTES` prints a line when it listens, and ends with its standard input.
"""

from __future__ import annotations

import select
import socket
import sys
from typing import Final

READ_BYTES: Final = 256 * 1024


def serve(path: str, reply_bytes: int) -> None:
    """Answer until standard input ends."""
    reply = b"x" * (reply_bytes - 1) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, select.epoll() as poll:
        listener.bind(path)
        listener.listen(1024)
        poll.register(listener, select.EPOLLIN)
        poll.register(sys.stdin, select.EPOLLIN)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        clients: dict[int, socket.socket] = {}
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == sys.stdin.fileno():
                    return
                if descriptor == listener.fileno():
                    client, _address = listener.accept()
                    clients[client.fileno()] = client
                    poll.register(client, select.EPOLLIN)
                elif not _answer(clients[descriptor], reply):
                    poll.unregister(descriptor)
                    clients.pop(descriptor).close()


def _answer(client: socket.socket, reply: bytes) -> bool:
    """Answer what has come; return whether the client is still there."""
    try:
        data = client.recv(READ_BYTES)
        # Blocking is fine: the load generator never waits to send.
        client.sendall(reply * data.count(b"\n"))
    except ConnectionError:
        return False
    return bool(data)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
