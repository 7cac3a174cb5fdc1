"""What can be translated: found in templates and modules, written into the catalogues of `locale/`.

`bin/messages` needs it, and the tests that look for sentences that no catalogue can reach. The product does not.
"""
