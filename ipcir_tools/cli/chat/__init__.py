"""``ipcir chat``: a dialogue typed line by line."""
