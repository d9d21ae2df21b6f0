# Rendered by `weigh export make card_fraud`; change the use case's stages and render again.
# Include it in a Makefile. As a crontab (UTC):
#   0 2 * * * make card_fraud-data
#   0 3 * * 0 make card_fraud-training
#   0 * * * * make card_fraud-retrain

WEIGH ?= weigh

.PHONY: card_fraud card_fraud-data card_fraud-training card_fraud-simulate card_fraud-ingest card_fraud-build card_fraud-validate card_fraud-train card_fraud-gate card_fraud-promote card_fraud-watch card_fraud-retrain

card_fraud:  # the whole loop, in order
	$(WEIGH) run card_fraud data
	$(WEIGH) run card_fraud training
	$(WEIGH) run card_fraud watch
	$(WEIGH) run card_fraud retrain

card_fraud-data: card_fraud-simulate card_fraud-ingest

card_fraud-training: card_fraud-build card_fraud-validate card_fraud-train card_fraud-gate card_fraud-promote

card_fraud-simulate:
	$(WEIGH) run card_fraud simulate

card_fraud-ingest: card_fraud-simulate
	$(WEIGH) run card_fraud ingest

card_fraud-build:
	$(WEIGH) run card_fraud build

card_fraud-validate: card_fraud-build
	$(WEIGH) run card_fraud validate

card_fraud-train: card_fraud-validate
	$(WEIGH) run card_fraud train

card_fraud-gate: card_fraud-train
	$(WEIGH) run card_fraud gate

card_fraud-promote: card_fraud-gate
	$(WEIGH) run card_fraud promote

card_fraud-watch:
	$(WEIGH) run card_fraud watch

card_fraud-retrain: card_fraud-watch
	$(WEIGH) run card_fraud retrain
