# Rendered by `weigh export make stream_fraud`; change the use case's stages and render again.
# Include it in a Makefile. As a crontab (UTC):
#   0 2 * * * make stream_fraud-data
#   0 * * * * make stream_fraud-training
#   0 * * * * make stream_fraud-retrain

WEIGH ?= weigh

.PHONY: stream_fraud stream_fraud-data stream_fraud-training stream_fraud-simulate stream_fraud-ingest stream_fraud-build stream_fraud-validate stream_fraud-train stream_fraud-gate stream_fraud-promote stream_fraud-watch stream_fraud-retrain

stream_fraud:  # the whole loop, in order
	$(WEIGH) run stream_fraud data
	$(WEIGH) run stream_fraud training
	$(WEIGH) run stream_fraud watch
	$(WEIGH) run stream_fraud retrain

stream_fraud-data: stream_fraud-simulate stream_fraud-ingest

stream_fraud-training: stream_fraud-build stream_fraud-validate stream_fraud-train stream_fraud-gate stream_fraud-promote

stream_fraud-simulate:
	$(WEIGH) run stream_fraud simulate

stream_fraud-ingest: stream_fraud-simulate
	$(WEIGH) run stream_fraud ingest

stream_fraud-build:
	$(WEIGH) run stream_fraud build

stream_fraud-validate: stream_fraud-build
	$(WEIGH) run stream_fraud validate

stream_fraud-train: stream_fraud-validate
	$(WEIGH) run stream_fraud train

stream_fraud-gate: stream_fraud-train
	$(WEIGH) run stream_fraud gate

stream_fraud-promote: stream_fraud-gate
	$(WEIGH) run stream_fraud promote

stream_fraud-watch:
	$(WEIGH) run stream_fraud watch

stream_fraud-retrain: stream_fraud-watch
	$(WEIGH) run stream_fraud retrain
