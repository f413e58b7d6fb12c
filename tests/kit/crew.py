"""A crew of clients at work: each is a thread with a client library of its own that sends again with its keys.

Every member does the same round again and again: make a task, claim one and complete it, append to its session, to its
log, record an event. Names are numbered, ids are left to Perdure: so what was lost, and what was done twice, shows.
`Crew.check` holds everything that was acknowledged against everything that is there.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from supervisor.client import Client
from tests.kit.perdure import WITHIN_S, Perdure

PAGE = 1000


@attrs.define(eq=False)
class Member:
    """One client: what it was told."""

    name: str
    session_id: str = ""
    rounds: int = 0
    """Rounds of which every command was acknowledged."""
    completed: list[str] = attrs.field(factory=list)
    failure: BaseException | None = None

    def work(self, client: Client, stop: threading.Event) -> None:
        """Work until told to stop; an error of any kind ends it and is kept."""
        try:
            session = client.call(
                "session.create", title=self.name, provider="p", model="m", working_directory=f"/{self.name}"
            )
            self.session_id = session["id"]
            while not stop.is_set():
                self._round(client, self.rounds + 1)
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.failure = error

    def _round(self, client: Client, number: int) -> None:
        client.call("task.create", description=f"{self.name} {number}", tool=self.name)
        client.call("session.append", id=self.session_id, messages=[{"n": number}])
        client.call("log.append", session_id=self.session_id, text=f"{number}\n")
        client.call("event.record", type="crew", message=f"{self.name} {number}")
        task = client.call("task.claim", worker=self.name, tools=[self.name], lease_s=3600)
        client.call("task.log", id=task["id"], message="done", lease=task["lease"])
        client.call("task.complete", id=task["id"], lease=task["lease"], result=number)
        self.completed.append(task["id"])


class Crew:
    """All members; made by `at_work`."""

    def __init__(self, perdure: Perdure, number: int) -> None:
        self.members = [Member(f"c{n}") for n in range(number)]
        self._perdure = perdure

    def rounds(self) -> int:
        """How many rounds were acknowledged up to now."""
        return sum(member.rounds for member in self.members)

    def wait_for_rounds(self, number: int) -> None:
        """Wait until that many more rounds are acknowledged."""
        goal = self.rounds() + number
        deadline_s = time.monotonic() + WITHIN_S
        while self.rounds() < goal:
            failures = [member.failure for member in self.members if member.failure is not None]
            if failures:
                raise AssertionError("a client met an error") from failures[0]
            assert time.monotonic() < deadline_s, "the clients make no progress"
            time.sleep(0.002)

    def check(self) -> None:
        """Hold what was acknowledged against what is there: each thing exactly once, in order."""
        with self._perdure.client() as client:
            tasks = list(_pages(client, "task.list", "tasks"))
            events = _recorded(client)
            for member in self.members:
                assert member.failure is None, f"{member.name} met {member.failure!r}"
                self._check_member(client, member, tasks, events)

    def _check_member(self, client: Client, member: Member, tasks: list[dict[str, Any]], events: Counter[str]) -> None:
        numbers = range(1, member.rounds + 1)
        own = [task for task in tasks if task["tool"] == member.name]
        assert Counter(task["description"] for task in own) == Counter(f"{member.name} {n}" for n in numbers)
        assert {task["status"] for task in own} == {"completed"}
        assert {len(task["logs"]) for task in own} == {1}, "a log entry was lost or is there twice"
        assert sorted(task["result"] for task in own) == list(numbers)
        assert sorted(task["id"] for task in own) == sorted(member.completed)
        assert [message["n"] for message in _messages(client, member.session_id)] == list(numbers)
        text = client.call("log.read", session_id=member.session_id, limit=1_000_000)["text"]
        assert text == "".join(f"{n}\n" for n in numbers)
        assert {f"{member.name} {n}": events[f"{member.name} {n}"] for n in numbers} == {
            f"{member.name} {n}": 1 for n in numbers
        }


@contextmanager
def at_work(perdure: Perdure, number: int = 8) -> Iterator[Crew]:
    """Have so many clients at work for the time of the block; afterwards all they asked for is answered."""
    crew = Crew(perdure, number)
    stop = threading.Event()
    clients = [Client(perdure.state_path, timeout_s=WITHIN_S, wait_s=WITHIN_S) for _ in crew.members]
    threads = [
        threading.Thread(target=_closing(member.work, client), args=(client, stop), name=member.name)
        for member, client in zip(crew.members, clients, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield crew
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _closing(work: Callable[[Client, threading.Event], None], client: Client) -> Callable[..., None]:
    def run(client_: Client, stop: threading.Event) -> None:
        with client:
            work(client_, stop)

    return run


def _pages(client: Client, method: str, noun: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, Any] = {}
    while True:
        page = client.call(method, limit=PAGE, **cursor)
        yield from page[noun]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def _recorded(client: Client) -> Counter[str]:
    """How often each message of the crew's events is there."""
    found: Counter[str] = Counter()
    after = 0
    while True:
        page = client.call("event.list", after_seq=after, kinds=["event.recorded"], limit=PAGE)
        found.update(event["data"]["message"] for event in page["events"] if event["data"]["type"] == "crew")
        if page["next_seq"] == after:
            return found
        after = page["next_seq"]


def _messages(client: Client, session_id: str) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = client.call("session.messages", id=session_id, after=after, limit=PAGE)
        yield from page["messages"]
        after = page["next"]
