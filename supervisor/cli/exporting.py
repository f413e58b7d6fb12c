"""`perdure export nanocoder|archive`."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from supervisor.cli import foreign_view
from supervisor.cli.bytes_progress import bytes_progress
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row, command
from supervisor.cli.invocation import Invocation
from supervisor.cli.serving import serving
from supervisor.cli.words import counted, size

TABLE: Final[dict[str, Row]] = {
    "nanocoder": Row("exporting", "nanocoder", "Write every session into a directory, as nanocoder keeps them."),
    "archive": Row("exporting", "archive", "Write the whole state directory into one file, with checksums."),
}


@click.group("export", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def export() -> None:
    """Write sessions for nanocoder, or everything into one file."""


@command("nanocoder", example="perdure export nanocoder ~/.local/share/nanocoder/sessions", data=True)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def nanocoder(invocation: Invocation, directory: Path) -> None:
    """
    Write every session into a directory, as nanocoder keeps them: it lists and loads them.

    A session that nanocoder has gone on with is left as it is there, and told.
    """
    from supervisor.foreign.export_nanocoder import export_to

    directory = directory.expanduser()
    if directory.exists() and not directory.is_dir():
        raise CommandFailed(f"{directory} is no directory", "name another one", Exit.USAGE)
    with serving(invocation) as perdure:
        report = export_to(directory, perdure).members()
    if invocation.as_json:
        invocation.screen.json(report)
        return
    invocation.screen.show(*foreign_view.imported(report))
    for line in foreign_view.told(report):
        sys.stderr.write(line + "\n")


@command("archive", example="perdure export archive perdure-2026-11-21.tar.gz", data=True)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def archive(invocation: Invocation, file: Path) -> None:
    """
    Write the whole state directory into one file, with checksums.

    Perdure may run meanwhile. A name that ends in .gz or .tgz is compressed. Unpacked into an empty directory (`tar -xf
    FILE -C DIR`) it is a state directory; its manifest.json names every file with its length and SHA-256.
    """
    from supervisor import __version__
    from supervisor.foreign.export_archive import export_archive, size_bytes
    from supervisor.root.directory import is_foreign

    state_path, file = invocation.state_path, file.expanduser()
    if not state_path.is_dir() or is_foreign(state_path):
        raise CommandFailed(
            f"{state_path} is no state directory", "name another one with --state-path", Exit.NOT_A_STATE_DIRECTORY
        )
    if file.absolute().is_relative_to(state_path):
        raise CommandFailed(f"{file} would lie in what it is to hold", "write it somewhere else", Exit.USAGE)
    with bytes_progress("exporting", lambda: size_bytes(state_path)) as advance:
        try:
            exported = export_archive(state_path, file, __version__, advance)
        except FileExistsError as error:
            raise CommandFailed(f"{file} is there already", "name another one", Exit.CONFLICT) from error
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            if file.parent.is_dir() and os.access(file.parent, os.W_OK):
                raise
            raise CommandFailed(
                f"nothing can be written into {file.absolute().parent}: {error.strerror}",
                "name a file in a directory that is there and yours",
                Exit.USAGE,
            ) from error
    if invocation.as_json:
        invocation.screen.json({"path": exported.path, "files": exported.files, "bytes": exported.bytes})
    else:
        invocation.screen.say(f"{counted(exported.files, 'file')}, {size(exported.bytes)}, are in {exported.path}")
