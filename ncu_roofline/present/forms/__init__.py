"""How a document looks: terminal, Markdown, CSV, JSON, HTML."""
