"""Sphinx's settings: pages in Markdown, the API from the docstrings, tables from results/."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import tables

import fer_jax

project = "fer_jax"
author = "The fer_jax authors"
copyright = "The fer_jax authors, Apache-2.0"
version = release = fer_jax.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated/tables", "examples"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

highlight_language = "none"  # of blocks that name none
default_role = "code"  # the docstrings' `names` are code
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures' types are in the source; here they only crowd
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "fer_jax"
html_static_path = []
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


# `code` of a docstring; and what reStructuredText takes for markup there, and is meant as it stands.
MARKUP = re.compile(
    r"(?P<before>\S?)(?<!`)`(?P<code>[^`]+)`(?!`)(?P<after>\w?)|(?P<plain>[*|]|(?<=\w)_(?!\w))"
)


def escape_markup(app, what, name, object, options, lines):
    """Make `code` of a docstring literal, and escape stars, bars and last underscores beside it."""

    def literal(match):
        if match["plain"]:
            return rf"\{match['plain']}"
        # Literal text begins and ends at a blank; one that is escaped does not show.
        before = match["before"] and match["before"] + r"\ "
        after = match["after"] and r"\ " + match["after"]
        return f"{before}``{match['code']}``{after}"

    lines[:] = [MARKUP.sub(literal, line) for line in lines]


def lead_to_pages(app, docname, source):
    """Let a link to a file above docs/, right in the repository, lead to the page of it here."""
    source[0] = source[0].replace("](../LEDGER.md)", "](ledger.md)")


def setup(app):
    """Write the generated pages before anything is read; escape docstrings before Napoleon."""
    app.connect("builder-inited", lambda app: tables.write_all(ROOT))
    app.connect("source-read", lead_to_pages)
    app.connect("autodoc-process-docstring", escape_markup, priority=1)
