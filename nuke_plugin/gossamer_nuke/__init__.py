"""The Nuke adapter: runs inside Nuke, reaches the worker through the bridge."""
