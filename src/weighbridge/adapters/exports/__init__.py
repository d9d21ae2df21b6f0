"""The stage table as files of other schedulers: a tool a file, each `render(Rendered) -> {path: text}`."""
