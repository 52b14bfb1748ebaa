"""Running a benchmark: its gallery, the requests, the rankings, the summary."""
