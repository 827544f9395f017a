"""The docks' work over many files: here, in several threads, or on a dask.distributed cluster."""

from __future__ import annotations

from .run import Report, run
from .tasks import Kind, Outcome, Task, plan
from .work import do

__all__ = ["Kind", "Outcome", "Report", "Task", "do", "plan", "run"]
