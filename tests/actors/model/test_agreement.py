"""The law behind everything: what an actor decided on, what the writer holds and what a replay gives are the same.

Random commands are decided on a draft, as an actor does while the disk is busy; their rows move the durable tables
forward, as the writer does; and the journal's bytes are replayed into tables of their own, as recovery does.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.decisions.batch import Step, Steps
from actors.decisions.decision import Rules
from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import started
from actors.decisions.services import configured
from actors.domain import Own
from actors.messages import records as record
from actors.messages import runs as run
from actors.messages import services as service
from actors.messages import sessions as session
from actors.messages import tasks as task
from actors.model.draft import Draft, addresses_of
from actors.model.errors import PerdureError
from actors.model.facts import FACTS, Fact
from actors.model.keys import Command
from actors.model.state import Line, Tables, rows_after
from actors.model.tables import Row
from actors.running.rules import RunRules
from actors.running.services import ServiceSpec
from actors.storage.journal_decoding import decode_body, encode_body
from tests.kit.decided import Bench

task_ids = st.sampled_from(["a", "b", "c"])
session_ids = st.sampled_from([f"0190163d-8694-739b-aea5-966c26f8ad9{n}" for n in range(4)])
leases = st.one_of(st.none(), st.integers(1, 4))
jsons = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=4,
)
objects = st.dictionaries(st.text(), jsons, max_size=2)
messages = st.lists(objects, min_size=1, max_size=3).map(tuple)

commands: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        task.TaskCreate,
        description=st.text(min_size=1),
        id=task_ids,
        depends_on=st.lists(task_ids, max_size=1),
        metadata=objects,
    ),
    st.builds(task.TaskUpdate, id=task_ids, priority=st.integers(0, 9), metadata=objects),
    st.builds(
        task.TaskSave, task=st.builds(task.WholeTask, id=task_ids, description=st.text(min_size=1), result=jsons)
    ),
    st.builds(task.TaskStart, id=task_ids),
    st.builds(task.TaskComplete, id=task_ids, result=jsons, lease=leases),
    st.builds(task.TaskFail, id=task_ids, error=st.text(), lease=leases),
    st.builds(task.TaskCancel, id=task_ids),
    st.builds(task.TaskReopen, id=task_ids),
    st.builds(task.TaskDelete, id=task_ids),
    st.builds(task.TaskLog, id=task_ids, message=st.text()),
    st.builds(task.TaskClaim, worker=st.just("w")),
    st.builds(
        session.SessionCreate,
        title=st.text(min_size=1, max_size=5),
        provider=st.just("p"),
        model=st.just("m"),
        working_directory=st.just("/w"),
        id=session_ids,
        messages=messages,
        metadata=objects,
    ),
    st.builds(session.SessionAppend, id=session_ids, messages=messages),
    st.builds(session.SessionSave, id=session_ids, messages=messages, metadata=objects),
    st.builds(session.SessionRename, id=session_ids, title=st.just("another")),
    st.builds(session.SessionClose, id=session_ids, outcome=st.just("done")),
    st.builds(session.SessionDelete, id=session_ids),
    st.builds(record.EventRecord, type=st.just("t"), message=st.text(), detail=jsons),
    st.builds(record.LogAppend, session_id=session_ids, text=st.text(min_size=1)),
    st.builds(record.ReportSave, id=task_ids, data=jsons),
    st.builds(
        run.RunExec, argv=st.lists(st.text(min_size=1).filter(lambda text: "\0" not in text), min_size=1).map(tuple)
    ),
    st.builds(record.RunPut, run=st.builds(record.WholeRun, id=task_ids, status=st.just("running"), result=jsons)),
)
batches = st.lists(commands, min_size=1, max_size=3).map(
    lambda steps: Steps(tuple(Step("any", step) for step in steps))
)
services = st.just("codex")
lives = st.sampled_from(["r1", "r2", "r3"])
of_services: st.SearchStrategy[Any] = st.one_of(
    st.just(Own(configured)),
    st.builds(service.ServiceStart, name=services),
    st.builds(service.ServiceStop, name=services),
    st.builds(service.ServiceRestart, name=services),
    st.builds(service.LifeBegin, name=services, run_id=lives, is_judged=st.booleans(), is_restart=st.booleans()),
    st.builds(service.LifeEnd, name=services, run_id=lives, grace_s=st.just(1.0)),
    st.builds(service.LifeDelayed, name=services, run_id=lives),
    st.builds(service.LifeLast, name=services, run_id=lives),
    st.builds(service.GivenUp, name=services, run_id=lives, message=st.just("too often")),
    lives.map(lambda run_id: Own(partial(started, run_id=run_id, pid=1, pid_started=2))),
    st.tuples(lives, st.sampled_from(["exit", "interrupt", "refuse"])).map(
        lambda end: Own(partial(ended, run_id=end[0], ending=Ending(happening=end[1], exit_code=3)))
    ),
)
anything = st.one_of(commands, of_services)
FLUSH = "flush"
"""The disk is done with everything decided so far."""

RULES = Rules(
    logs_kept=2,
    sessions_max=2,
    runs=RunRules(services={"codex": ServiceSpec(name="codex", command="codex")}, up_at="now"),
)


def shown(tables: Tables) -> dict[str, Any]:
    return {
        "rows": {(name, row.id): row.encoded for name, table in tables.by_name.items() for row in table.rows.values()},
        "tombstones": tables.tombstones,
        "keys": tables.keys.records,
        "seq": tables.seq,
        "stamp": tables.stamp,
        "lease_max": tables.lease_max,
        "metrics": tables.metrics(),
    }


class Trio:
    """The three of them."""

    def __init__(self) -> None:
        self.bench = Bench(rules=RULES)
        self.draft = Draft(self.bench.tables)
        self.replayed = Tables()
        self.under_way: list[tuple[Line, list[Row | None]]] = []
        self.seq = 0

    def command(self, params: Any) -> None:
        self.bench.pass_s(1.0)
        decision = None
        with contextlib.suppress(PerdureError):
            decision = self.bench.decide(params, self.draft)
        if decision is None or not decision.facts:
            return
        self.seq += 1
        key = f"key-{self.seq}" if self.seq % 2 else None
        command = Command(method="m", key=key, hash="h", ids=decision.ids)
        line = Line(seq=self.seq, ts=self.bench.stamp, cmd=command, facts=decision.facts)
        self.under_way.append((line, self.draft.stage(decision.facts)))

    def flush(self) -> None:
        for line, rows in self.under_way:
            self.bench.tables.absorb(line, rows)
            self.draft.settle(addresses_of(line.facts), rows)
            read = decode_body(encode_body(line.ts, line.cmd, line.facts), line.seq)
            self.replayed.absorb(read, rows_after(self.replayed, read.facts))
        self.under_way.clear()


@given(st.lists(st.one_of(anything, batches, st.just(FLUSH)), max_size=30))
def test_draft_tables_and_replay_agree_on_every_row(steps: list[Any]) -> None:
    trio = Trio()
    for step in steps:
        if step == FLUSH:
            trio.flush()
        else:
            trio.command(step)
    expected = {address: None if row is None else row.encoded for address, row in trio.draft.pending.items()}
    trio.flush()
    assert not trio.draft.pending, "everything is durable, so the draft holds nothing"
    assert shown(trio.replayed) == shown(trio.bench.tables)
    for (table, row_id), encoded in expected.items():
        row = trio.bench.tables.row(table, row_id)
        assert (None if row is None else row.encoded) == encoded


@given(st.lists(st.one_of(anything, batches), max_size=30))
def test_revs_count_one_by_one_and_never_go_back(steps: list[Any]) -> None:
    trio = Trio()
    for step in steps:
        trio.command(step)
    revs: dict[tuple[str, str], int] = {}
    for line, _rows in trio.under_way:
        for fact in line.facts:
            address = (fact.kind.table, fact.id)
            assert fact.rev == revs.get(address, 0) + 1
            revs[address] = fact.rev


@given(st.lists(st.one_of(anything, batches), max_size=30))
def test_the_limit_of_sessions_holds_at_every_line(steps: list[Any]) -> None:
    trio = Trio()
    for step in steps:
        trio.command(step)
        trio.flush()
        assert len(trio.bench.tables.sessions) <= RULES.sessions_max


def test_a_fact_says_of_itself_what_it_does() -> None:
    assert Fact(op="task.deleted", id="a", rev=1, data={}).kind is FACTS["task.deleted"]
