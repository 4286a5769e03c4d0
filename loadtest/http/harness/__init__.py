"""How services are measured over HTTP."""
