"""The writer: the only actor that touches the disk, and the only importer of `storage`.

`desk` is what outlives a crash of the actor (its threads, whoever waits for a snapshot); `admission` decides which
proposals may be written; `writer` is the actor itself; `saving` takes snapshots; `backlog` writes files behind the
journal; `answers` serves what others ask of the disk.
"""

from actors.writer.desk import Desk, WriterSettings
from actors.writer.writer import Writer

__all__ = ["Desk", "Writer", "WriterSettings"]
