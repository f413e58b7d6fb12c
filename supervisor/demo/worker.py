"""One client process of the demo: works until its standard input closes, and writes down every acknowledgement.

`python -m supervisor.demo.worker STATE_PATH RECORD_FILE NAME`. The record has one JSON line per acknowledged command,
flushed before the next command is sent: what stands in it was promised. The client library reconnects and sends again
with the same keys, so the worker itself knows nothing of crashes.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path
from typing import IO, Any, Final

from actors.model.errors import Conflict, InvalidTransition
from supervisor.client import Client

PATIENCE_S: Final = 60.0
"""Nothing in the demo takes Perdure away for longer; beyond it the worker fails, and so does the demo."""


class Worker:
    """See the module's text."""

    def __init__(self, client: Client, record: IO[str], name: str) -> None:
        self._client = client
        self._record = record
        self._name = name
        self._session = ""
        self._messages = 0

    def work(self) -> None:
        """Make, claim, log and finish tasks, and append to a session, until told to stop."""
        session = self._client.call(
            "session.create", title=f"demo {self._name}", provider="demo", model="none", working_directory="/demo"
        )
        self._session = session["id"]
        number = 0
        while not _told_to_stop():
            number += 1
            self._create(number)
            self._say(f"message {number} of {self._name}")
            if number % 2 == 0:
                self._do_one()

    def _create(self, number: int) -> None:
        task_id = f"demo-{self._name}-{number}"
        self._client.call("task.create", id=task_id, description=f"task {number} of {self._name}", tool="SHELL")
        self._note(kind="task", id=task_id)

    def _say(self, text: str) -> None:
        self._client.call("session.append", id=self._session, messages=[{"role": "user", "content": text}])
        self._messages += 1
        self._note(kind="message", session=self._session, index=self._messages, text=text)

    def _do_one(self) -> None:
        task = self._client.call("task.claim", worker=self._name, tools=["SHELL"])
        if task is None:
            return
        try:
            for step in ("begun", "half done"):
                self._client.call("task.log", id=task["id"], message=step, lease=task["lease"])
                self._note(kind="log", id=task["id"], text=step)
            self._client.call("task.complete", id=task["id"], lease=task["lease"], result={"by": self._name})
        except (Conflict, InvalidTransition) as error:
            self._note(kind="lost_lease", id=task["id"], why=str(error))
            return
        self._note(kind="completed", id=task["id"], by=self._name)

    def _note(self, **acknowledged: Any) -> None:
        self._record.write(json.dumps(acknowledged) + "\n")
        self._record.flush()


def _told_to_stop() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable)


def main(state_path: str, record_path: str, name: str) -> None:
    """Work on the Perdure of a state directory."""
    with Client(state_path, timeout_s=PATIENCE_S) as client, Path(record_path).open("a", encoding="utf-8") as record:
        Worker(client, record, name).work()


if __name__ == "__main__":
    main(*sys.argv[1:])
