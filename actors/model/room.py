"""How much room the journal's disk has: the watermark below which nothing is taken, and the one above which it is."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Room:
    """What the disk has left, and how private the state directory is. Sizes in bytes."""

    free_bytes: int
    reserve_bytes: int
    """With less than that free nothing is taken any more: it is for the last snapshot and for recovery. 0: no limit."""
    access_problem: str | None = None
    """Who else could get at the state directory, or why it is not ours."""

    @property
    def is_short(self) -> bool:
        """Whether nothing is left but the reserve."""
        return self.free_bytes < self.reserve_bytes

    @property
    def enough_bytes(self) -> int:
        """What must be free before commands are taken again: a quarter more, so that it does not go to and fro."""
        return self.reserve_bytes + self.reserve_bytes // 4

    @property
    def is_ample(self) -> bool:
        """Whether commands may be taken again."""
        return self.free_bytes >= self.enough_bytes

    def shortage(self) -> str:
        """Return the sentence that says what is missing, and which key says so."""
        return (
            f"{self.free_bytes} bytes are free on the disk of the state directory; {self.reserve_bytes} are kept"
            f" for the last snapshot and for recovery (state.disk_reserve_bytes and the size of a snapshot)"
        )

    def remedy(self) -> str:
        """Return what to do about it."""
        missing_bytes = max(0, self.enough_bytes - self.free_bytes)
        return (
            f"free {missing_bytes} bytes there (perdure clean removes leftovers), or lower state.disk_reserve_bytes;"
            " Perdure goes on by itself"
        )
