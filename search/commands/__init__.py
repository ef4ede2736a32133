"""The commands, by what they are about: jobs, runs, functions, the machine."""

import sys

from search.commands.hidden import tell

if sys.excepthook is sys.__excepthook__:
    sys.excepthook = tell  # before the modules are imported that may fail
