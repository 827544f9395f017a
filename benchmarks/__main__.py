"""`python -m benchmarks NAME ...`."""

import sys

from napari_seem.errors import NapariSeemError

from . import main

try:
    sys.exit(main(sys.argv[1:]))
except (NapariSeemError, OSError) as error:
    sys.exit(f"benchmarks: {error}")
