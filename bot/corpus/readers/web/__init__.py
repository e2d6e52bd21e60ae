"""Web pages, Markdown, and what is written as one."""
