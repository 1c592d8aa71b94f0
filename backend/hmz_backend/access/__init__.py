"""Who may see, use and change what: rules as pure functions, and the shares that people make."""
