"""Word documents, and what LibreOffice makes of other ones."""
