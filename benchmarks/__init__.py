"""How fast and how small is Riparian? Measured on a real server and a real worker, on this machine's loopback."""
