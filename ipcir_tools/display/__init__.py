"""Results for people: as text and JSON, in notebooks, as a picture sheet."""
