"""A double of Nuke, written by hand: it executes graphs for real and has nothing that Nuke's stubs do not declare.

``Application`` is one running Nuke; its ``module`` is what ``import nuke`` gives while a test runs. What the double is
strict about: knobs and classes that scripts do not know, the graph touched off the main thread, a knob set while a
frame is being rendered, ``executeInMainThreadWithResult`` on the main thread, dialogues without a GUI. As in Nuke, what
a call on the main thread raises does not come back through ``executeInMainThreadWithResult``.
"""

from tests.fakes.fake_nuke.application import Application
from tests.fakes.fake_nuke.execution import CancelledError
from tests.fakes.fake_nuke.operators import NodeError

__all__ = ["Application", "CancelledError", "NodeError"]
