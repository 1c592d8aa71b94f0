"""What the backend tells those who look after it: metrics, traces, log lines. It names nobody."""
