"""Many objects of one image in one call: coordinates, boxes or a table in, labels and a table out.

`prompted`, `tables` and `wanted` read what is asked for, `run` asks the model and settles overlaps,
`result` is the answer.
"""

from .prompted import Prompted
from .result import Objects
from .run import segment_objects
from .tables import Row, objects_of_rows, read_rows

__all__ = ["Objects", "Prompted", "Row", "objects_of_rows", "read_rows", "segment_objects"]
