"""Pictures: finding, fetching and reading them safely, thumbnails and contact sheets."""
