"""What drives the engine for others: LangChain and MCP tools, the agent and its middleware, the dialogue graph."""
