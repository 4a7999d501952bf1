"""The Nuke adapter: runs inside Nuke, reaches the worker through the bridge."""

__version__ = "0.1.0"
__all__ = ["__version__"]
