"""Image sequences: frame ranges, where frames come from, which guide fits, what results are called.

The parts: ``frames.py`` (ranges), ``source.py`` (the protocol and numbered files), ``discover.py`` (from a text to a
source), ``matching.py`` (guides), ``naming.py`` (results), ``movie.py``.
"""

from gossamer.image.discover import open_source
from gossamer.image.frames import FrameRange
from gossamer.image.matching import match_guide
from gossamer.image.movie import MOVIE_SUFFIXES
from gossamer.image.naming import names_folder, output_path
from gossamer.image.pattern import has_token
from gossamer.image.source import FrameSource, ImageSequence, missing_frames

__all__ = [
    "MOVIE_SUFFIXES",
    "FrameRange",
    "FrameSource",
    "ImageSequence",
    "has_token",
    "match_guide",
    "missing_frames",
    "names_folder",
    "open_source",
    "output_path",
]
