"""Gossamer: natural image matting for VFX. Importing this package imports nothing heavy."""

import os

# Official builds of ONNX Runtime send usage data from version 1.29 on, unless this is set before they are loaded
# (core/decisions/0011-backends.md). Nothing leaves the machine, whoever imports the library first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["__version__"]
