# What the add-on uses of Blender, 3.4 to 5.0, and nothing else; tests/fakes/fake_bpy has no more than this.
from bpy import app as app
from bpy import ops as ops
from bpy import path as path
from bpy import props as props
from bpy import types as types
from bpy import utils as utils
from bpy.types import BlendData, Context

context: Context
data: BlendData
