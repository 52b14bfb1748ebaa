"""The help of ``ipcir chat``."""

HELP = (
    ("in blue with long sleeves", "any edit; the edits before it still hold"),
    ("more like 3, less like 1", "lean towards a hit, away from another"),
    ("3", "take a hit as the new reference"),
    ("3 with the collar of 5", "a hit, and a part of another; or: the pattern of 2 on 4"),
    ("3 but shorter, less like 1", "all at once"),
    ("undo", "to the turn before, or: go back two"),
    ("goto t12ab", "to any turn; going on makes a branch"),
    ("at t12ab: in green", "go on from there at once"),
    ("turns", "the tree of turns, a star where you are"),
    ("show", "this turn again; show 3: one hit"),
    ("sheet hits.png", "the dialogue so far as pictures"),
    ("find a red dress", "start over with words"),
    ('new "my coat.jpg" in green', "start over with a picture"),
    ("k 5", "how many hits from now on"),
    ('where {"format": "jpeg"}', "which pictures; where off: all again"),
    ("quit", "or Ctrl-D"),
)
"""Each line that can be typed, and what it does."""
