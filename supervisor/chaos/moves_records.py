"""Moves over sessions, logs, reports, events and runs, and over several of them at once."""

from __future__ import annotations

from typing import Any, Final

from supervisor.chaos.author import Author
from supervisor.trials.agent import command_line

BATCH: Final = 3
"""Tasks that one `batch.apply` makes."""
SESSIONS_MAX: Final = 4
"""Open sessions of one client."""
AGENT_S: Final = (0.5, 3.0)
"""How long an agent works."""
STOP_GRACE_S: Final = 1.0

Commands = list[dict[str, Any]]


class Records:
    """The moves, and which sessions there are."""

    def __init__(self, author: Author) -> None:
        self._author = author
        self._hand = author.hand
        self._sessions: list[str] = []
        self._deleted: list[str] = []

    # --- sessions

    def make_session(self) -> None:
        """Make a session, unless there are enough."""
        if len(self._sessions) < SESSIONS_MAX:
            about = {"provider": "chaos", "model": "none", "working_directory": "/chaos"}
            made = self._hand.do("session.create", {"title": self._author.text(), **about})
            if made is not None:
                self._sessions.append(made["id"])

    def say(self) -> None:
        """Append messages to a session."""
        session = self._session()
        if session is not None:
            self._hand.do("session.append", {"id": session, "messages": self._said(self._author.rng.choice((1, 1, 3)))})

    def change_session(self) -> None:
        """Rename, save, load, close or delete a session, or bring one back."""
        session = self._session()
        if session is None:
            return
        change = self._author.rng.choice(("rename", "save", "load", "close", "delete", "restore"))
        if change == "restore":
            if self._deleted:
                self._hand.do("session.restore", {"id": self._deleted.pop()})
            return
        more: dict[str, dict[str, Any]] = {
            "rename": {"title": self._author.text()},
            "save": {"metadata": {"n": self._author.next()}},
        }
        done = self._hand.do(f"session.{change}", {"id": session, **more.get(change, {})})
        if done is not None and change in {"close", "delete"}:
            self._sessions.remove(session)
        if done is not None and change == "delete":
            self._deleted.append(session)

    def write_log(self) -> None:
        """Append to a session's text log."""
        session = self._session()
        if session is not None:
            self._hand.do("log.append", {"session_id": session, "text": self._author.text() + "\n"})

    def _session(self) -> str | None:
        if not self._sessions:
            self.make_session()
        return self._author.rng.choice(self._sessions) if self._sessions else None

    def _said(self, number: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": self._author.text()} for _ in range(number)]

    # --- several at once

    def batch(self) -> None:
        """Make tasks, an event and a message by one command."""
        mark = self._mark()
        commands = [*_creations(mark), _command("event.record", type="chaos:batch", message=mark)]
        if self._sessions:
            session = self._author.rng.choice(self._sessions)
            commands.append(_command("session.append", id=session, messages=self._said(1)))
        self._hand.do("batch.apply", {"commands": commands})

    def batch_that_fails(self) -> None:
        """Send a batch whose last command cannot be carried out."""
        mark = self._mark()
        commands = [*_creations(mark), _command("task.complete", id=f"nowhere-{mark}")]
        self._hand.do("batch.apply", {"commands": commands}, allowed=("not_found",))

    def _mark(self) -> str:
        return f"batch-{self._author.name}-{self._author.next()}"

    # --- events, reports, runs

    def record_event(self) -> None:
        """Write an event."""
        self._hand.do("event.record", {"type": "chaos:note", "message": self._author.text()})

    def save_report(self) -> None:
        """Write one of a few reports anew."""
        report_id = f"{self._author.name}-{self._author.rng.randrange(3)}"
        self._hand.do("report.save", {"id": report_id, "data": {"text": self._author.text()}})

    def put_run(self) -> None:
        """Record a run that somebody else carries out."""
        run_id = f"put-{self._author.name}-{self._author.rng.randrange(5)}"
        self._hand.do("run.put", {"run": {"id": run_id, "status": "running", "result": {"n": self._author.next()}}})

    def run_agent(self) -> None:
        """Let an agent work; stop it sometimes."""
        author = self._author
        seconds = round(author.rng.uniform(*AGENT_S), 2)
        copy = str(self._hand.scratch / f"{author.name}-{author.next()}")
        marks = {"seconds": seconds, "copy": copy}
        run = self._hand.do("run.exec", {"argv": command_line(copy, seconds)}, marks=marks)
        if run is not None and author.sometimes(0.2):
            refusals = ("invalid_transition", "not_found")
            self._hand.do("run.stop", {"id": run["id"], "grace_s": STOP_GRACE_S}, allowed=refusals)


def _creations(mark: str) -> Commands:
    return [_command("task.create", id=f"{mark}-{n}", description=mark, tool="BATCH") for n in range(BATCH)]


def _command(method: str, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params}
