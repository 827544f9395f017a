"""The record of work: what was done to labels, enough to do it again without a display."""

from .log import Journal, SessionLog, log_path, read_log, write_log
from .patches import Patch
from .pictures import ImageFile, fingerprint, tell_image
from .recorder import Recorder
from .replay import Difference, Replayed, replay
from .shadow import Shadow, digest_of
from .told import read_plane, read_prompts, tell_model, tell_plane, tell_prompts

__all__ = [
    "Difference", "ImageFile", "Journal", "Patch", "Recorder", "Replayed", "SessionLog", "Shadow",
    "digest_of", "fingerprint", "log_path", "read_log", "read_plane", "read_prompts", "replay",
    "tell_image", "tell_model", "tell_plane", "tell_prompts", "write_log",
]  # fmt: skip
