"""FAULTS row 41: whatever is commanded, crashed, damaged and restarted, Perdure holds what a dictionary holds.

Hypothesis chooses the steps. Every command carries a key, so that a repeat of any of them at any later time must change
nothing; the actor that decides it may be struck down over it. A death leaves the directory as it stands, one damage may
be done to it, and the next start must give the exact state back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from actors.messages import sessions as ask_sessions
from actors.messages import tasks as ask_tasks
from actors.messages.runtime import StateSave
from actors.model.errors import PerdureError
from tests.kit.core import Core
from tests.kit.core_thread import CoreThread
from tests.kit.held_disk import quiet_disk

TASKS: Final = tuple(f"t{number}" for number in range(4))
SESSIONS: Final = tuple(f"0190163d-8694-739b-aea5-{number:012x}" for number in range(2))
NEXT: Final = {
    ("pending", "TaskStart"): "running",
    ("running", "TaskComplete"): "completed",
    ("pending", "TaskCancel"): "cancelled",
    ("running", "TaskCancel"): "cancelled",
    ("completed", "TaskReopen"): "pending",
    ("cancelled", "TaskReopen"): "pending",
}
"""(status, command) → status, by the specification and not by the code."""

tasks = st.sampled_from(TASKS)
sessions = st.sampled_from(SESSIONS)
strikes = st.sampled_from([False, False, False, True])
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


def halved(state: Path) -> None:
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])


def flipped(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 0x10
    state.write_bytes(content)


def emptied(state: Path) -> None:
    state.write_bytes(b"")


def filled_with_zeros(state: Path) -> None:
    state.write_bytes(bytes(state.stat().st_size))


def made_a_directory(state: Path) -> None:
    state.unlink()
    state.mkdir()


def newest(root: Path, pattern: str) -> Path:
    return max(root.glob(pattern))


def torn(root: Path) -> None:
    with newest(root, "journal/*.jsonl").open("ab") as segment:
        segment.write(b'{"v":2,"seq":')


def zeros(root: Path) -> None:
    with newest(root, "journal/*.jsonl").open("ab") as segment:
        segment.write(bytes(1000))


def rubbish_for_task_files(root: Path) -> None:
    for file in root.glob("tasks/*.json"):
        file.write_bytes(b"\x00rubbish")


def no_task_files(root: Path) -> None:
    shutil.rmtree(root / "tasks", ignore_errors=True)


def of_state(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    """Damage state.json, where there is one."""

    def do(root: Path) -> None:
        if (root / "state.json").exists():
            damage(root / "state.json")

    return do


DAMAGES: Final[dict[str, Callable[[Path], None]]] = {
    "none": lambda _root: None,
    "state.json removed": of_state(Path.unlink),
    "state.json empty": of_state(emptied),
    "state.json NUL": of_state(filled_with_zeros),
    "state.json half": of_state(halved),
    "state.json flipped": of_state(flipped),
    "state.json a directory": of_state(made_a_directory),
    "journal torn": torn,
    "journal with zeros": zeros,
    "task files rubbish": rubbish_for_task_files,
    "task files gone": no_task_files,
}


async def asked(core: Core, params: Any) -> Any:
    return await core.ask("sessions", params)


class Model(RuleBasedStateMachine):
    """See the module's text. `tasks` and `sessions` are the dictionaries; deleted sessions are in `archived`."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.lives = 0
        self.root = self.folder / "0"
        self.root.mkdir(mode=0o700)
        self.tasks: dict[str, tuple[str, int, str]] = {}
        self.sessions: dict[str, tuple[str, list[Any]]] = {}
        self.archived: dict[str, tuple[str, list[Any]]] = {}
        self.done: list[tuple[str, Any]] = []
        """(actor, command) of every one that took effect; its key is its place here."""
        self.running = CoreThread(self.root)

    # Commands

    def command(self, actor: str, params: Any, expected: str = "ok", *, struck: bool = False) -> None:
        """Give a command, and strike its actor down over it if that is wanted; its outcome must be the dictionary's."""
        heard = self.outcome(actor, params, f"k{len(self.done)}", struck=struck)
        assert heard == expected, f"{params}: {heard} instead of {expected}"
        if expected == "ok":
            self.done.append((actor, params))

    def outcome(self, actor: str, params: Any, key: str, *, struck: bool = False) -> str:
        async def act(core: Core) -> str:
            request, answered = core.request(params, key=key)
            assert core.refs[actor].offer([request]) == 1
            if struck:
                await core.restart(actor)
            try:
                await answered()
            except PerdureError as error:
                return error.kind
            return "ok"

        return str(self.running.run(act))

    @rule(name=tasks, text=texts, priority=st.integers(0, 9), struck=strikes)
    def create_task(self, name: str, text: str, priority: int, struck: bool) -> None:
        expected = "already_exists" if name in self.tasks else "ok"
        params = ask_tasks.TaskCreate(id=name, description=text, priority=priority)
        self.command("tasks", params, expected, struck=struck)
        self.tasks.setdefault(name, (text, priority, "pending"))

    @rule(name=tasks, text=texts, struck=strikes)
    def update_task(self, name: str, text: str, struck: bool) -> None:
        expected = "ok" if name in self.tasks else "not_found"
        self.command("tasks", ask_tasks.TaskUpdate(id=name, description=text), expected, struck=struck)
        if name in self.tasks:
            self.tasks[name] = (text, *self.tasks[name][1:])

    @rule(
        name=tasks,
        kind=st.sampled_from([ask_tasks.TaskStart, ask_tasks.TaskComplete, ask_tasks.TaskCancel, ask_tasks.TaskReopen]),
        struck=strikes,
    )
    def move_task(self, name: str, kind: type[Any], struck: bool) -> None:
        if name not in self.tasks:
            self.command("tasks", kind(id=name), "not_found", struck=struck)
            return
        text, priority, status = self.tasks[name]
        following = NEXT.get((status, kind.__name__))
        self.command("tasks", kind(id=name), "ok" if following else "invalid_transition", struck=struck)
        self.tasks[name] = (text, priority, following or status)

    @rule(name=tasks, struck=strikes)
    def delete_task(self, name: str, struck: bool) -> None:
        self.command("tasks", ask_tasks.TaskDelete(id=name), "ok" if name in self.tasks else "not_found", struck=struck)
        self.tasks.pop(name, None)

    @rule(name=sessions, title=texts, struck=strikes)
    def create_session(self, name: str, title: str, struck: bool) -> None:
        expected = "already_exists" if name in self.sessions else "ok"
        params = ask_sessions.SessionCreate(
            id=name, title=title, provider="p", model="m", working_directory="/w", messages=({"first": title},)
        )
        self.command("sessions", params, expected, struck=struck)
        self.sessions.setdefault(name, (title.strip(), [{"first": title}]))

    @rule(name=sessions, texts=st.lists(texts, min_size=1, max_size=3), struck=strikes)
    def append(self, name: str, texts: list[str], struck: bool) -> None:
        messages = tuple({"text": text} for text in texts)
        expected = "ok" if name in self.sessions else "not_found"
        self.command("sessions", ask_sessions.SessionAppend(id=name, messages=messages), expected, struck=struck)
        if name in self.sessions:
            self.sessions[name][1].extend(messages)

    @rule(name=sessions, struck=strikes)
    def delete_session(self, name: str, struck: bool) -> None:
        if name in self.sessions:
            self.command("sessions", ask_sessions.SessionDelete(id=name), struck=struck)
            self.archived[name] = self.sessions.pop(name)

    @rule(name=sessions, struck=strikes)
    def restore_session(self, name: str, struck: bool) -> None:
        if name in self.archived and name not in self.sessions:
            self.command("sessions", ask_sessions.SessionRestore(id=name), struck=struck)
            self.sessions[name] = self.archived[name]

    @rule(which=st.integers(0, 1000), struck=strikes)
    def repeat(self, which: int, struck: bool) -> None:
        if self.done:
            number = which % len(self.done)
            assert self.outcome(*self.done[number], f"k{number}", struck=struck) == "ok"

    # What befalls it

    @rule()
    def save(self) -> None:
        self.running.run(lambda core: core.ask("writer", StateSave()))

    @rule(damage=st.sampled_from(sorted(DAMAGES)))
    def die_and_start_again(self, damage: str) -> None:
        self.lives += 1
        found = self.folder / str(self.lives)

        async def as_it_stands(core: Core) -> None:
            await core.until(lambda: core.ledger.files_backlog == 0)
            async with quiet_disk(core):  # as at one moment: a copy that others write into meanwhile is of none
                shutil.copytree(core.root, found)

        self.running.run(as_it_stands)
        self.running.close()
        shutil.rmtree(self.root)
        self.root = found
        DAMAGES[damage](found)
        self.running = CoreThread(found)
        self.check_messages()

    @rule()
    def stop_and_start_again(self) -> None:
        self.running.close()
        self.running = CoreThread(self.root)
        self.check_messages()

    # What must hold

    @invariant()
    def it_is_what_the_dictionaries_hold(self) -> None:
        tables = self.running.core.ledger.tables
        rows = [msgspec.json.decode(row.encoded) for row in tables.tasks.rows.values()]
        found = {row["id"]: (row["description"], row["priority"], row["status"]) for row in rows}
        assert found == self.tasks, f"{found} instead of {self.tasks}"
        rows = [msgspec.json.decode(row.encoded) for row in tables.sessions.rows.values()]
        there = {row["id"]: (row["title"], row["message_count"]) for row in rows}
        held = {name: (title, len(messages)) for name, (title, messages) in self.sessions.items()}
        assert there == held, f"{there} instead of {held}"
        assert self.running.core.crashes == [], self.running.core.crashes

    def check_messages(self) -> None:
        for name, (_, messages) in self.sessions.items():
            page = self.running.run(partial(asked, params=ask_sessions.SessionMessages(id=name, limit=1000)))
            assert page["messages"] == messages

    def teardown(self) -> None:
        try:
            self.check_messages()
            self.running.close()
        finally:
            shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(25, 30, id="small"), pytest.param(600, 80, id="large", marks=pytest.mark.long)]
)
def test_whatever_happens_it_holds_what_a_dictionary_holds(examples: int, steps: int) -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=examples, stateful_step_count=steps))
