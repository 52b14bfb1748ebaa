"""``ipcir bench``: what this machine does with the package, each figure beside its peer and its limit."""
