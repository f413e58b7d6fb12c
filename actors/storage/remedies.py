"""What `perdure doctor --repair` does about each kind of finding, in words; `repair` does it.

Nothing that could hold data is removed: it goes to quarantine first. What a remedy needs decides when its turn comes:

==============  =====================================================================================================
before          what recovery would stumble over or refuse: links, second names, modes, strangers in a directory's place
recovery        what every start does
after           what needs the recovered state: files that do not fit their rows, old snapshots, the journal's past
last            what nothing could bring back is put on record
==============  =====================================================================================================
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

Turn = Literal["before", "recovery", "after", "never"]


class Remedy(Enum):
    """A remedy: its turn, and what it does, said so that it follows "with --repair, doctor …"."""

    CLEAR = ("before", "moves it to quarantine/")
    OWN_FILE = ("before", "puts a copy in its place, so that it has this name only")
    MODE = ("before", "takes the rights of others away")
    RECOVER = ("recovery", "does what the next start would: damaged bytes go to quarantine/")
    DISCARD = ("recovery", "removes it")
    FORGET_STATE = (
        "before",
        "moves state.json to quarantine/, builds it from backup and journal; what neither holds is on record as lost",
    )
    SET_ASIDE = ("after", "moves it to quarantine/")
    WRITE_ANEW = ("after", "moves it to quarantine/ and writes it anew from its row and the journal")
    FILL = ("after", "writes what is missing from its row and the journal; what nothing holds is put on record as lost")
    HEAL = ("after", "keeps a copy in quarantine/ and writes it anew from its good lines and the journal")
    CUT = ("after", "keeps what is too much in quarantine/ and cuts it off")
    SAVE = ("after", "takes a snapshot")
    JOURNAL = (
        "after",
        "takes a snapshot, then moves the journal up to there, and the backups before it, to quarantine/",
    )
    REPORT = ("after", "writes report.json anew; the old one stays beside it")
    NONE = ("never", "")

    @property
    def turn(self) -> Turn:
        """When it is carried out."""
        turn: Turn = self.value[0]
        return turn

    @property
    def words(self) -> str:
        """What it does; empty when there is nothing that a program could do."""
        return self.value[1]
