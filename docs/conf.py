"""Sphinx: the documentation is Markdown, and a broken reference is an error."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent

project = "WaterButler"
author = "The WaterButler contributors"
copyright = "the WaterButler contributors"
version = release = runpy.run_path(str(ROOT / "waterbutler" / "version.py"))["__version__"]

extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = True
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"WaterButler {release}"
html_copy_source = False
html_show_sphinx = False

copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
