"""The LangChain runnables: ``imagine`` writes the target picture in words; each module builds one chain."""
