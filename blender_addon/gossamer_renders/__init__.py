# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural foregrounds with alpha, rendered by Cycles, for ``gossamer train --renders``: not part of the add-on.

    PYTHONPATH=blender_addon python -m gossamer_renders FOLDER --photos PHOTOS --count 300

in a Python that has the ``bpy`` wheel (4.5 or later). ``fields`` is numpy alone; ``blocks`` turns its arrays into
Blender's data; ``objects`` are the kinds; ``pictures`` lights, films and writes them.
"""
