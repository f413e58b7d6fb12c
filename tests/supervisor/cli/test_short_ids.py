"""supervisor/cli/short_ids.py: the end of a generated id is enough for a person, and never names the wrong thing."""

from typing import Any

import pytest

from actors.model.errors import NotFound
from supervisor.cli.faults import CommandFailed
from supervisor.cli.short_ids import do_with_id

FIRST = "task_01a1fd5e-a31a-7039-acfa-dd81af3386d6"
SECOND = "task_01a1fd5e-a35f-73aa-af5b-772e813386d6"
CHOSEN = "abcdef"


class Runtime:
    """Holds ids; `session.list` and `task.list` give them all."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.lists = 0

    def call(self, method: str, /, **_params: Any) -> Any:
        self.lists += 1
        return {f"{method.partition('.')[0]}s": [{"id": id_} for id_ in self.ids], "next_cursor": None}

    def get(self, id_: str) -> str:
        if id_ not in self.ids:
            raise NotFound(f"there is no task {id_}")
        return id_


@pytest.mark.parametrize("text", [FIRST, "af3386d6", "…dd81af3386d6", "..dd81af3386d6", "...af3386d6"])
def test_an_id_is_named_by_its_end(text: str) -> None:
    runtime = Runtime(FIRST, SECOND)
    assert do_with_id(runtime, "task", text, runtime.get) == FIRST


def test_an_id_that_is_there_as_written_is_the_one_that_is_meant() -> None:
    runtime = Runtime(CHOSEN, "task_01a1fd5e-a31a-7039-acfa-000000abcdef")
    assert do_with_id(runtime, "task", CHOSEN, runtime.get) == CHOSEN
    assert runtime.lists == 0


@pytest.mark.parametrize("text", ["3386d6", "…3386d6"])
def test_an_end_of_several_ids_is_refused(text: str) -> None:
    runtime = Runtime(FIRST, SECOND)
    with pytest.raises(CommandFailed, match="2 tasks end with 3386d6"):
        do_with_id(runtime, "task", text, runtime.get)


@pytest.mark.parametrize("text", ["ffffff", "…ffffff", "3386d", "fix-login", "task_01a1fd5e"])
def test_an_end_of_no_id_is_not_found(text: str) -> None:
    runtime = Runtime(FIRST, "fix-the-other-ffffff")
    with pytest.raises(NotFound, match="there is no task"):
        do_with_id(runtime, "task", text, runtime.get)
