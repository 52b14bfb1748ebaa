"""The LangChain runnables that the engine is made of: imagination, composition and reranking."""
