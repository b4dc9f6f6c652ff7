"""Sphinx configuration: MyST pages, the executed notebooks, and the reference from the docstrings."""

import shutil
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent

# Sphinx reads below its own folder only.
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", dirs_exist_ok=True)

project = "bayesgmm"
author = "the bayesgmm authors"
version = release = version_of("bayesgmm")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]  # progress widgets of notebooks have no HTML form
nb_execution_mode = "off"  # the notebooks are committed executed; `make notebook` runs them anew

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # the numpydoc sections give types and shapes
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "bayesgmm"
