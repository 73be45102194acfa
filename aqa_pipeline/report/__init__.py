"""A run as one page that a person reads: results in, a single HTML file out that opens without a network.

`reading` opens the files of a run, `verdict` says which row is best and whether that is sure, `dots` lays values and
intervals on a scale, `dives` shows single videos, `making` says how the run was made, `page` joins them.
"""
