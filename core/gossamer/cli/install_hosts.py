"""``gossamer install-hosts``: the adapters where Nuke and Blender look, and the worker's Python for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="install-hosts")(install_hosts)


def install_hosts(
    nuke: Annotated[
        Path | None, typer.Option(help="A folder on NUKE_PATH, usually ~/.nuke.", show_default=False)
    ] = None,
    blender: Annotated[
        Path | None,
        typer.Option(
            help="A folder scripts/addons: ~/.config/blender/4.2/scripts/addons on Linux, "
            "%APPDATA%\\Blender Foundation\\Blender\\4.2\\scripts\\addons on Windows.",
            show_default=False,
        ),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Link to this installation instead of copying it.")] = False,
    uninstall: Annotated[
        bool,
        typer.Option(
            "--uninstall", help="Remove what was installed there; without folders, everything ever installed."
        ),
    ] = False,
) -> None:
    """Install the adapters for Nuke and Blender, and note this Python as the one that runs the worker.

    Without --nuke and --blender only the Python is noted, for adapters that were installed by other means.
    """
    from gossamer.errors import SettingError
    from gossamer.worker import hosts

    places = {name: folder for name, folder in (("nuke", nuke), ("blender", blender)) if folder is not None}
    if uninstall and link:
        raise SettingError("--uninstall removes copies and links alike; leave out --link.")
    done = hosts.uninstall(places) if uninstall else hosts.install(places, link=link)
    for line in done.lines:
        print(line)
