"""The documentation site: Sphinx with MyST Markdown. Build it with `make docs`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import fastapi.openapi.models  # noqa: F401  first: autodoc annotates pydantic.BaseModel, after which its import fails
import jieba

jieba.setLogLevel(logging.WARNING)  # it reports the loading of its dictionary, once for each process

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "membercard"
copyright = "the membercard maintainers, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
root_doc = "index"

# One index for both languages: Chinese is cut into words by jieba, English is stemmed.
language = "en"
html_search_language = "zh"
html_theme = "furo"
html_title = "membercard"
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["deflist", "attrs_inline"]
myst_heading_anchors = 4
# A name that a package hands on is documented where it is defined.
suppress_warnings = ["ref.python"]

# One page for each module of the product, from its docstrings.
apidoc_modules = [
    {
        "path": f"../{room}",
        "destination": f"python/{room}",
        "exclude_patterns": ["**/migrations/versions/**", "**/workbook_reader.py", "**/migrations/env.py"],
        "separate_modules": False,
        "module_first": True,
        "implicit_namespaces": False,
        "include_private": False,
    }
    for room in ("terminal", "simulators", "registry", "personalize", "programme", "reader_service", "membercard")
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True, "ignore-module-all": True}
# Both would parse the source of each function again and again: a third of the time for the reference of the modules.
autodoc_preserve_defaults = False
autodoc_use_type_comments = False
autodoc_inherit_docstrings = False
os.environ.setdefault("MEMBERCARD_DATA_DIR", str(ROOT / "docs" / "_build" / "data"))
