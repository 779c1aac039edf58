"""The pages, one module per noun. A page calls the same service as the API and draws a template."""
