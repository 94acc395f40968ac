"""Partners of every contract in processes of their own, and a key officer who rotates meanwhile.

``held`` is what a partner knows, ``wire`` its connection, ``partners`` how each contract is
spoken, ``client`` the process that speaks, ``fleet`` those processes as the test sees them,
``rotation`` the officer's rounds, ``killer`` who kills web processes, ``report`` the table. The
clients import no Django: the pure library and urllib3.
"""
