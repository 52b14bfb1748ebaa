"""Reports of an evaluation: JSON, Markdown, HTML with charts."""
