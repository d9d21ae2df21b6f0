"""The doors: settings, wiring, HTTP, the command line and the demo."""
