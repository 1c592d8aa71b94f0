"""The KServe v2 facade: any client of that protocol, with our identity, access and shares."""
