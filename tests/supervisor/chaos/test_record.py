"""supervisor/chaos/record.py: what was asked and heard, also of a client that was killed over it."""

from __future__ import annotations

from pathlib import Path

from supervisor.chaos.record import Recorder, read_record, read_records


def test_what_was_written_down_is_read_back_in_order(tmp_path: Path) -> None:
    with (tmp_path / "w0.jsonl").open("w") as stream:
        recorder = Recorder(stream)
        first = recorder.asks("task.create", {"id": "a", "idempotency_key": "k"}, (), {"copy": "c"})
        recorder.told(first, "storage_failed")
        recorder.heard(first, {"id": "a"})
        second = recorder.asks("task.get", {"id": "b"}, ("not_found",), {})
        recorder.refused(second, "not_found")
        recorder.asks("task.get", {"id": "c"}, (), {})
    made, refused, unanswered = read_record(tmp_path / "w0.jsonl")
    assert (made.client, made.key, made.result, made.told, made.marks) == (
        "w0",
        "k",
        {"id": "a"},
        ("storage_failed",),
        {"copy": "c"},
    )
    assert made.acknowledged
    assert (refused.error, refused.allowed, refused.acknowledged) == ("not_found", ("not_found",), False)
    assert made.answered_s is not None
    assert made.sent_s <= made.answered_s <= refused.sent_s
    assert unanswered.answered_s is None


def test_a_line_that_a_kill_cut_off_counts_as_not_written(tmp_path: Path) -> None:
    with (tmp_path / "w0.jsonl").open("w") as stream:
        recorder = Recorder(stream)
        recorder.heard(recorder.asks("task.get", {"id": "a"}, (), {}), 1)
        recorder.asks("task.get", {"id": "b"}, (), {})
        stream.write('{"n": 2, "at": 1.0, "resu')
    whole, cut_off = read_record(tmp_path / "w0.jsonl")
    assert (whole.result, cut_off.answered_s) == (1, None)


def test_the_records_of_all_clients_are_one_in_the_order_of_asking(tmp_path: Path) -> None:
    with (tmp_path / "w1.jsonl").open("w") as one, (tmp_path / "w0.jsonl").open("w") as other:
        recorders = [Recorder(one), Recorder(other)]
        for number in range(6):
            recorders[number % 2].asks("runtime.ping", {"number": number}, (), {})
    assert [one.params["number"] for one in read_records(tmp_path)] == list(range(6))
