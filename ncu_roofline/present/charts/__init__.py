"""How is it drawn? Each chart a module; the theme, the marks and the export are shared."""
