"""FAULTS rows 4 and 20: killed while the journal goes on in the fallback directory, or on the way there or back.

The state directory refuses to be written from some call on, for a while or until the end; meanwhile the runtime is
killed at any call in either directory, and the next one finds its way.
"""

from __future__ import annotations

import errno
from random import Random

import pytest

from supervisor.client import Client
from tests.kit.interposer import ON_DISK, Action, Call, Fault, Seen
from tests.kit.interposer_forks import Keeper
from tests.kit.interposer_sample import IN_PORTIONS, portion
from tests.kit.oracle import Broken, steps_of
from tests.kit.perdure import eventually
from tests.kit.tally import SEED

STATE = "state/"
BESIDE = "fallback/"
REFUSED = ON_DISK - {Call.CREATE}
"""Opening writer.lock is no failure of a disk; of one that is mounted read-only the kernel says so beforehand."""
UNTIL_MENDED = 0
STEPS_BEFORE = 4
"""So many steps are carried out before the state directory refuses; from there on calls are counted."""
KILLS = (Action.KILL_BEFORE, Action.HALF_THEN_KILL, Action.KILL_AFTER)

STEPS = steps_of(
    *(("task.create", {"id": f"t{number}", "description": "x" * 600}) for number in range(6)),
    ("task.update", {"id": "t0", "description": "changed " + "y" * 600}),
    ("task.delete", {"id": "t1"}),
    *(("task.create", {"id": f"u{number}", "description": "x" * 600}) for number in range(6)),
    name="beside",
)


def carried_out(keeper: Keeper, refusal: Fault, *kills: Fault) -> list[Seen]:
    """Carry the steps out under these faults, mend, wait until the journal is back, stop; return the calls till then.

    For a refusal that ends by itself all calls: its way back is met by the kills, too.
    """
    faults = (refusal, *kills)
    with keeper.trial(steps=STEPS, sample=None, crash_at=-1, beside=True) as trial:
        try:
            with trial.client() as client:
                for number in range(len(STEPS)):
                    if number == STEPS_BEFORE:
                        trial.interposer.spoil(*faults)
                    trial.next_step(client)
                faulty = trial.interposer.count
                trial.interposer.mend()
                assert eventually(lambda: is_in_place(client), "the journal is back in the state directory")
            trial.stop()
            trial.check()
        except Exception as error:
            raise Broken(f"{'; '.join(map(str, faults))}: {error}\n(seed {SEED}) {trial.last_words}") from error
        return trial.interposer.log()[: None if refusal.times else faulty]


def is_in_place(client: Client) -> bool:
    reasons: list[str] = client.call("runtime.health")["reasons"]
    return not any("the journal goes on in" in reason for reason in reasons)


@pytest.mark.parametrize("share", IN_PORTIONS)
@pytest.mark.parametrize("times", [UNTIL_MENDED, 25])
def test_killed_on_the_way_to_the_fallback_in_it_or_on_the_way_back_it_keeps_what_was_acknowledged(
    keeper: Keeper, times: int, share: int | None
) -> None:
    refusal = Fault(Action.FAIL, 1, times=times, error=errno.EROFS, calls=REFUSED, where=STATE)
    log = carried_out(keeper, refusal)
    kills = {
        where: [number for number, _seen in enumerate((seen for seen in log if seen.path.startswith(where)), 1)]
        for where in (BESIDE, STATE)
    }
    assert kills[BESIDE], "nothing was written beside"
    random = Random(f"{SEED}/{times}/{share}")
    struck = 0
    for where, number in ((BESIDE, 8), (STATE, 4)):
        for at in portion(kills[where], share, number):
            kill = Fault(random.choice(KILLS), at, taken_bytes=random.choice([0, 1, 60]), where=where)
            struck += any(seen.action.kills for seen in carried_out(keeper, refusal, kill))
    assert struck, "each time it was over before the call that was to kill it"
