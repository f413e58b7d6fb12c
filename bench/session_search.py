"""Searching the messages of many sessions: making the cache, searches of several kinds, who waits meanwhile.

Who waits: a command, which needs the journal's thread, and a page of messages, which needs that of the search.

`.venv/bin/python bench/session_search.py [--sessions 10000] [--messages 10]`. Everything is measured on a real Perdure
in a temporary directory, through its socket. The words of the messages are drawn from a fixed seed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supervisor.client import Client
from supervisor.trials.stage import Stage

VOCABULARY = [f"word{number}" for number in range(5000)]
SEARCHES = {
    "a rare word": "rarity77",
    "two words": "word1 word2",
    "a common word": "common",
    "nothing": "nowhere",
}
TIMES = 20
BROAD_TIMES = 5
PAUSE_S = 0.002
"""Between two calls of the others: they are there to wait, not to keep the machine busy."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000, help="(10000)")
    parser.add_argument("--messages", type=int, default=10, help="of each session, of 30 words each (10)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder:
        stage = Stage(Path(folder), environment={"PERDURE_SESSIONS__MAX": "0"})
        try:
            stage.start()
            with stage.client() as client:
                fill(client, given.sessions, given.messages)
                measure(stage, client)
            stage.stop()
            stage.start()
            with stage.client() as client:
                show("the first search after a restart", search_s(client, "rarity77"))
        finally:
            stage.close()


def fill(client: Client, sessions: int, messages: int) -> None:
    """Make the sessions."""
    chance = random.Random(1)
    begun_s = time.monotonic()
    for number in range(sessions):
        said: list[dict[str, Any]] = [
            {"role": "user", "content": " ".join(["common", *chance.choices(VOCABULARY, k=30)])}
            for _ in range(messages)
        ]
        said[-1]["content"] += f" rarity{number}"
        client.call(
            "session.create", title=f"number {number}", provider="p", model="m", working_directory="/w", messages=said
        )
    show(f"making {sessions} sessions with {messages} messages each", time.monotonic() - begun_s)


def measure(stage: Stage, client: Client) -> None:
    """Make the cache while others work, then search."""
    print("nobody searches")
    with others_at_work(stage, client):
        time.sleep(BROAD_TIMES)
    with others_at_work(stage, client):
        show("the first search, which makes the cache", search_s(client, "rarity77"))
    with others_at_work(stage, client):
        for _ in range(BROAD_TIMES):
            show("how nearly every word begins", search_s(client, "wor"))
    size_bytes = (stage.state_path / "sessions" / "search.sqlite").stat().st_size
    print(f"{'the cache':<52}{size_bytes / 1e6:10.1f} MB")
    for name, text in SEARCHES.items():
        show(f"{name}, median of {TIMES}", statistics.median(search_s(client, text) for _ in range(TIMES)))


@contextmanager
def others_at_work(stage: Stage, client: Client) -> Iterator[None]:
    """Have two others work meanwhile; then show how long they waited."""
    session_id = client.call("session.list", limit=1)["sessions"][0]["id"]
    calls: dict[str, Callable[[Client], object]] = {
        "task.create": lambda other: other.call("task.create", description="meanwhile"),
        "session.messages": lambda other: other.call("session.messages", id=session_id, limit=1),
    }
    over = threading.Event()
    waits_s: dict[str, list[float]] = {name: [] for name in calls}

    def work(name: str) -> None:
        with stage.client() as other:
            while not over.wait(PAUSE_S):
                begun_s = time.monotonic()
                calls[name](other)
                waits_s[name].append(time.monotonic() - begun_s)

    workers = [threading.Thread(target=work, args=(name,)) for name in calls]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        over.set()
        for worker in workers:
            worker.join()
    for name, waited_s in waits_s.items():
        show(f"  a {name} meanwhile, median of {len(waited_s)}", statistics.median(waited_s))
        show(f"  a {name} meanwhile, longest", max(waited_s))


def search_s(client: Client, text: str) -> float:
    """Search once; return the seconds."""
    begun_s = time.monotonic()
    found = client.call("session.find", text=text, limit=20)
    if found["messages"] != "searched":
        raise RuntimeError(f"messages were not searched: {found}")
    return time.monotonic() - begun_s


def show(name: str, seconds: float) -> None:
    """Print one figure."""
    print(f"{name:<52}{seconds * 1000:10.1f} ms", flush=True)


if __name__ == "__main__":
    main()
