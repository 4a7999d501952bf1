from bpy.app import handlers as handlers
from bpy.app import timers as timers

background: bool
version: tuple[int, int, int]
version_string: str

def is_job_running(job_type: str) -> bool: ...
