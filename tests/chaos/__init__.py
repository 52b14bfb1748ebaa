"""Chaos: galleries whose programs are killed, whose disks are full, whose bytes, clocks and files change meanwhile.

``python -m tests.chaos --runs 200`` makes that many runs, each by its own random numbers from one seed, and says which
promise was broken in which run; ``--only N`` makes one of them again.
"""
