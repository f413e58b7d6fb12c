"""What lies behind the journal: coalesced, split into portions, taken back, and never claimed before it is written."""

from __future__ import annotations

from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Limits, Line, Tables, rows_after
from actors.storage.behind import Behind
from tests.kit.stores import SESSION, created, deleted, described, session_appended, session_created, session_saved


class Life:
    """Tables, and what lies behind them."""

    def __init__(self) -> None:
        self.tables = Tables(Limits())
        self.behind = Behind()
        self.lines: list[Line] = []

    def do(self, *facts: Fact) -> None:
        line = Line(seq=self.tables.seq + 1, ts="2026-01-01T00:00:00.000Z", cmd=Command(method="x"), facts=facts)
        rows = rows_after(self.tables, facts)
        leaving = self.tables.leaving(facts, rows)
        self.tables.absorb(line, rows)
        self.behind.note(line, rows, leaving)
        self.lines.append(line)


def test_of_a_task_that_changed_often_only_the_last_state_is_written() -> None:
    life = Life()
    life.do(created("a"))
    life.do(described("a", 2, "x"))
    life.do(described("a", 3, "y"))
    row = life.tables.row("tasks", "a")
    assert row is not None
    assert life.behind.tasks == {"a": row.encoded}


def test_a_portion_claims_no_line_of_which_something_is_left_behind() -> None:
    life = Life()
    for task_id in ("a", "b", "c"):
        life.do(created(task_id))
    life.do(described("a", 2, "x"))
    portions = [life.behind.take(1) for _ in range(3)]
    assert [(list(portion.tasks), portion.after_seq, portion.seq) for portion in portions] == [
        (["a"], 0, 1),
        (["b"], 1, 2),
        (["c"], 2, 4),
    ]


def test_a_task_that_changes_after_it_was_taken_waits_at_the_end() -> None:
    life = Life()
    life.do(created("a"))
    life.do(created("b"))
    life.behind.take(1)
    life.do(described("a", 2, "x"))
    assert list(life.behind.tasks) == ["b", "a"]
    portion = life.behind.take(1)
    assert (list(portion.tasks), portion.seq) == (["b"], 2)


def test_what_could_not_be_written_goes_first_again_and_newer_rows_replace_it() -> None:
    life = Life()
    life.do(created("a"))
    life.do(created("b"))
    failed = life.behind.take(10)
    life.do(described("a", 2, "x"))
    life.do(created("c"))
    life.behind.put_back(failed)
    assert list(life.behind.tasks) == ["a", "b", "c"]
    row = life.tables.row("tasks", "a")
    assert row is not None
    assert life.behind.tasks["a"] == row.encoded
    again = life.behind.take(1)
    assert (again.after_seq, again.seq) == (0, 1)


def test_sessions_keep_their_order_when_a_portion_is_taken_back() -> None:
    life = Life()
    life.do(session_created(messages=["one"]))
    failed = life.behind.take(10)
    life.do(session_appended(2, 2, ["two"]))
    life.behind.put_back(failed)
    works = life.behind.sessions[SESSION]
    assert [work.messages for work in works] == [[(1, b'"one"')], [(2, b'"two"')]]


def test_everything_but_tasks_leaves_with_the_first_portion() -> None:
    life = Life()
    life.do(created("a"), created("b"), session_created())
    portion = life.behind.take(1)
    assert list(portion.sessions) == [SESSION]
    assert (len(life.behind), list(life.behind.tasks)) == (1, ["b"])


def test_a_deleted_task_loses_its_file_and_an_archived_one_takes_its_last_row_along() -> None:
    life = Life()
    life.do(created("a"), created("b"))
    row = life.tables.row("tasks", "b")
    life.do(deleted("a", 2), Fact(op="task.archived", id="b", rev=2, data={}))
    assert life.behind.tasks == {"a": None, "b": None}
    assert row is not None
    assert life.behind.archived_tasks == {"b": (2, row.encoded)}


def test_the_word_of_what_a_deleted_task_left_behind_goes_to_no_file() -> None:
    life = Life()
    entry = {"id": "task_a", "entries": 1, "before": 0, "first": 1, "lines": [{"message": "m"}], "rev": 1}
    life.do(created("a"), Fact(op="log.spilled", id="task_a", rev=1, data=entry))
    life.behind.take(10)
    life.do(deleted("a", 2), Fact(op="log.left", id="task_a", rev=2, data={"before": 1}))
    assert (life.behind.tasks, life.behind.spills, life.behind.reports, life.behind.texts) == ({"a": None}, [], {}, [])


def test_lines_that_the_snapshot_covers_give_the_messages_their_own_numbers() -> None:
    life = Life()
    life.do(session_created(messages=["one"]))
    life.do(session_appended(2, 2, ["two"]))
    life.do(session_saved(3, ["new"]))
    life.do(session_appended(4, 2, ["newer"]))
    late = Behind()
    for line in life.lines:
        late.note_covered(line, life.tables)
    works = late.sessions[SESSION]
    assert [work.messages for work in works] == [[(1, b'"one"')], [(2, b'"two"')], [(1, b'"new"')], [(2, b'"newer"')]]
    assert [work.rev for work in works] == [1, 2, 3, 4]
    assert [work.meta is not None and work.meta[0] for work in works] == [1, 2, 3, 4]
    assert works[2].rewrite
    assert works[2].header is not None


def test_it_knows_what_is_held_in_memory_for_its_files_alone_wherever_that_is_at_present() -> None:
    life = Life()
    life.do(created("a"))
    assert life.behind.held_bytes == 0  # the row is in the tables anyway
    life.do(session_created())
    life.do(session_appended(2, 1, ["x" * 1000]))
    held_bytes = life.behind.held_bytes
    assert held_bytes > 1000
    portion = life.behind.take(10)
    assert (life.behind.held_bytes, portion.held_bytes) == (0, held_bytes)
    life.behind.put_back(portion)
    assert life.behind.held_bytes == held_bytes
