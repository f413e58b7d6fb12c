"""supervisor/bench/programs.py: those in C where there is a compiler, else those in Python; both ask alike."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from supervisor.bench.load import BODY, PROTOCOLS, Order
from supervisor.bench.programs import InC, InPython, Programs, Uncompiled, best_programs


def asked_by(kind: Programs, path: str, protocol: str) -> bytes:
    """Return the bytes of one request of the second connection."""
    order = Order(socket=path, protocol=protocol, connections=2, depth=1, prefix="r", requests=2)
    received = [b"", b""]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(2)
        argv, given = kind.load(order)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(given)
            process.stdin.close()
            clients = [listener.accept()[0] for _ in received]
            for place, client in enumerate(clients):
                while BODY not in received[place] or not received[place].endswith(b"\n"):
                    received[place] += client.recv(4096)
                client.sendall(b"+OK\n")
            assert process.wait(30) == 0
            for client in clients:
                client.close()
    Path(path).unlink()
    return received[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_kinds_ask_the_same(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with best_programs(tmp_path) as used:
        if used.language != "C":
            pytest.skip("there is no compiler")
        assert asked_by(used, "s.sock", protocol) == asked_by(InPython(), "s.sock", protocol)


def test_the_frames_of_redis_say_the_lengths_of_their_parts() -> None:
    frame = PROTOCOLS["redis"][0]("r", 3)(12)
    assert frame.startswith(b"*3\r\n$3\r\nSET\r\n$13\r\nr-3-000000012\r\n$300\r\nx")
    assert frame.endswith(b"x\r\n")


def test_a_compiler_that_makes_nothing_is_told(tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\nexit 0\n")
    compiler.chmod(0o700)
    with pytest.raises(Uncompiled):
        InC(str(compiler), tmp_path)


def test_without_a_compiler_it_is_the_one_in_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with best_programs(tmp_path) as used:
        assert used.language == "Python"
