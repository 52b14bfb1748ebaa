"""What a chat model may answer in place of a caption, and captions that only look so."""

import pytest

from ipcir_tools.models.caption_text import caption_fault

NO_CAPTIONS = """
a refusal | I'm sorry, but I can't help with that.
a refusal | I\u2019m unable to identify people in images.
a refusal | Sorry, I cannot describe this image.
a refusal | As an AI language model, I cannot see pictures.
a refusal | I can't assist with this request.
a refusal | Unfortunately, I cannot view the image.
a refusal | There is no image attached to your message.
a refusal | No image was provided. Please upload one.
a refusal | Please provide the picture that you would like me to describe.
a refusal | I apologize, but the content violates the policy.
JSON or code | {"caption": "a red dress"}
JSON or code | ```json {"caption": "a red dress"}```
JSON or code | ["a red dress"]
an error's text | Error: model overloaded
an error's text | <!DOCTYPE html><html>
"""

CAPTIONS = """
A woman who looks sorry stands beside a broken vase.
A sign that reads "I'm sorry, we are closed" on a glass door.
"A red dress with a white belt."
An apology card with a drawn heart on a wooden table.
The error message of a blue screen on a laptop.
A picture without people: an empty street at night.
A note saying I cannot come, pinned to a board.
**A red shirt** with buttons.
"""


@pytest.mark.parametrize("line", NO_CAPTIONS.strip().splitlines())
def test_what_is_no_caption_is_told(line):
    kind, text = line.split(" | ", 1)
    assert caption_fault(text) == kind


@pytest.mark.parametrize("text", CAPTIONS.strip().splitlines())
def test_captions_that_speak_of_such_things_are_captions(text):
    assert caption_fault(text) is None
