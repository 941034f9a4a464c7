"""A stand-in for `goliat study`: same traffic, same files, no physics. For the demo, load and tests.

It says that it is one in its help and in the first line of every log. All numbers it writes are random.
"""
