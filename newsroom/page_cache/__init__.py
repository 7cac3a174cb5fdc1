"""A cache of public pages in the memory of each web process, in front of Django.

A request whose page (`keys`) is cached (`store`) and still as the database has it (`versions`) is answered with
stored bytes (`serving`), compressed as the client likes it (`codings`). Everything else goes on to Django, and if a
page for everybody comes back, that is compressed, too. See decision 0141.
"""
