"""The past, played again: a source's log with its clock, run through the core alone."""
