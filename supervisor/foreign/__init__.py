"""
Other tools' files: reading them into Perdure, and writing what they read.

One module per tool reads that tool's directory and yields plain values (`values`); `kinds` is their table. Nothing of
a source is ever changed, nothing is held in memory but what one session's row needs: files of lines are read line by
line, as often as that takes. `importer` sends the values to a runtime through whatever client it is given, so that
importing twice changes nothing; `export_nanocoder` and `export_archive` go the other way.

To add a tool: one module beside these, a row in `kinds`, its sample in tests/samples.
"""
