"""The Blender adapter: runs inside Blender, reaches the worker through the bridge."""
