"""60 things that people say to a dialogue about a blue dress, more than half of them no edits.

Each line: what is said; its kind; of an edit ``+words`` that the description has, and ``-words`` that it does not have.
The dialogue before: the caption "a red dress with long sleeves on a hanger", refined by "in blue".
"""

CAPTION = "a red dress with long sleeves on a hanger"
BEFORE = "in blue"

SAYINGS = """
thank you, goodbye | farewell
Thanks a lot! | thanks
hello | greeting
hi there, good morning | greeting
how are you? | greeting
bye bye | farewell
that's all, thanks | farewell
help | help
what can you do? | help
who are you | help
are you a robot? | help
how does this work? | help
what should I say? | help
can you speak German? | help
how many pictures are there? | gallery
what do you have? | gallery
how many dresses do you have? | gallery
which folders are there? | gallery
where is the second one? | hit
what is this? | hit
when was it taken? | hit
why did you show this? | reason
how did you find that? | reason
show me more | more
next page | more
anything else? | more
start over | restart
undo that | undo
yes | opinion
no | opinion
ok great | opinion
perfect, that's the one | opinion
I don't like it | opinion
not what I meant | opinion
lol | nothing
what the fuck | nothing
👍 | nothing
is there one in green? | edit | +green dress | -blue -there
can you make it green? | edit | +green dress | -blue
do you have this in yellow? | edit | +yellow dress | -blue
what about black? | edit | +black dress | -blue
I'd like it longer | edit | +long +blue dress
show me the same in a forest | edit | +blue dress +in a forest | -hanger
hi, can you make it striped? | edit | +blue striped dress | -hi
no, in white please | edit | +white dress | -blue
great, now without sleeves | edit | +sleeveless +blue | -great -long
yes but shorter | edit | +short +blue | -yes
and a bird over the sea | edit | +blue dress +long sleeves +bird over the sea
plus a hat on the shelf | edit | +blue dress +hat on the shelf
like this, in green | edit | +green dress | -this -blue
this skirt, in green | edit | +green skirt | -dress -this
this one with a belt | edit | +blue dress +belt | -this
that, without the sleeves | edit | +sleeveless blue dress | -that
something like it with dots | edit | +blue dotted dress | -something
as a skirt | edit | +blue skirt | -dress
what would it look like with stripes? | edit | +striped | -look
which ones have a hood? | edit | +hood +blue dress | -which
let's try purple | edit | +purple dress | -try -blue
at the beach instead | edit | +blue dress +at the beach | -hanger
could it be a bit darker? | edit | +dark blue dress | -could
"""

UNTUNED = """
would you deliver to Spain? | help
how do I get my money back? | help
you keep showing me the same thing | opinion
is number 4 a skirt? | hit
were these taken last summer? | hit
never mind, forget it | opinion
who designed the third one? | hit
apologies, make it yellow | edit
plus the wall behind it should be brick | edit
and the shoes are black | edit
her mother would love it in purple | edit
does it come in green? | edit
hello, anything shorter? | edit
and a small dog is sitting next to it | edit
"""
"""Sayings for which the rules were not written, with their kinds; what fails of them is below."""

KNOWN_TO_FAIL = """
which one is the cheapest? | hit
I lost my glasses | nothing
did someone draw these? | hit
my phone is ringing | nothing
one sec please | nothing
that took long | opinion
the pictures are blurry | opinion
can I have a discount? | help
"""
"""Of the same kind, and read as edits. Three edits of the same list are described badly: *hi again, same but with a
belt*, *any chance of it being sleeveless?* and *I'd rather have polka dots*."""
