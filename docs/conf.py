"""The settings of the documentation's site: `make docs`, which is `sphinx-build -W -n -c docs . build/docs`.

The source is the repository's root, so that relative links from page to page are right on a Git host and in the site.
"""

project = "actsearch"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "*/README.md", "docs/**.md"]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "runs/*/**",
    "benchmarks/data",
    "tests",
]
html_theme = "furo"
html_title = "actsearch"
html_extra_path = ["site"]  # an index.html that leads to docs/
html_show_copyright = html_show_sphinx = html_copy_source = html_use_index = False
highlight_language = "none"  # indented blocks are shell, Python, YAML or text
myst_heading_anchors = 4
