"""The documentation site: `make docs` builds it, without a network, and fails at any warning."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

import site_links  # noqa: E402
import site_reference  # noqa: E402

import napari_seem  # noqa: E402

project = "napari-seem"
author = "napari-seem developers"
copyright = "napari-seem developers, BSD-3-Clause"  # noqa: A001
release = version = napari_seem.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "code"  # as the docstrings use it
toc_object_entries_show_parents = "hide"
highlight_language = "none"
pygments_style = "a11y-high-contrast-light"

myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings give types, with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = {"GL08", "SS01"}  # no docstring, no summary
numpydoc_validation_exclude = {r"\.MODELS$"}  # a mapping: its text stands below it

html_theme = "pydata_sphinx_theme"
html_title = "napari-seem"
html_show_sourcelink = False
html_theme_options = {
    "icon_links": [
        {"name": "Source", "url": site_links.SOURCE, "icon": "fa-brands fa-github"},
    ],
    "header_links_before_dropdown": 9,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "image_scrapers": ("site_gallery.scrape",),
    "capture_repr": ("_repr_html_",),
    "reset_modules": ("site_gallery.reset",),
    "within_subsection_order": "site_gallery.Order",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 10_000,
    "write_computation_times": False,
    "download_all_examples": False,
    "copyfile_regex": r".*\.rst",
}


def setup(app: object) -> None:
    """Write the pages of the reference, and let links work here as they do on GitHub."""
    site_reference.write(DOCS / "reference")
    app.connect("source-read", site_links.rewrite)  # type: ignore[attr-defined]
