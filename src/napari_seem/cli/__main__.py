"""`python -m napari_seem.cli`."""

import sys

from . import main

sys.exit(main())
