"""The programs behind bin/run, bin/test and the other commands in bin/.

`prepare` runs on the machine's own Python and knows only the standard library: it makes
`.venv` and hands over to one of the others, which run inside it.
"""
