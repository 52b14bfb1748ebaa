"""The LangChain runnables and graphs: ``imagine``, ``compose``, ``rerank``, ``dialog`` and ``agent`` each build one."""
