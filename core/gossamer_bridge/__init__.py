"""The client both hosts share, and the messages the worker speaks: standard library only, Python 3.9 and up."""

__version__ = "0.1.0"
__all__ = ["__version__"]
