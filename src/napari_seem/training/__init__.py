"""Training of the compact model: every step is a batch of tensor operations, on CPU or GPU.

`pictures` holds labelled images on the device, `crops` cuts and alters crops of them, `objects`
chooses what is to be segmented and through which windows, `prompts` draws what a person would,
`dense` and `losses` say how far off the network is, `learner` takes one step, and `run` keeps the
clock, the log and the state on disk. `tuning` trains a loaded model further.
"""

from .pictures import Picture, PictureBank
from .recipe import Phase, Recipe
from .run import Run, resume_or_begin
from .tuning import Tuner

__all__ = ["Phase", "Picture", "PictureBank", "Recipe", "Run", "Tuner", "resume_or_begin"]
