"""The page: a face over the engine for people, served by this machine alone."""
