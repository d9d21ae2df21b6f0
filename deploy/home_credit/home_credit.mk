# Rendered by `weigh export make home_credit`; change the use case's stages and render again.
# Include it in a Makefile. As a crontab (UTC):
#   0 1 * * * make home_credit-nightly

WEIGH ?= weigh

.PHONY: home_credit home_credit-nightly home_credit-ingest home_credit-build home_credit-validate home_credit-train home_credit-gate home_credit-promote home_credit-watch home_credit-freshness

home_credit:  # the whole loop, in order
	$(WEIGH) run home_credit nightly

home_credit-nightly: home_credit-ingest home_credit-build home_credit-validate home_credit-train home_credit-gate home_credit-promote home_credit-watch home_credit-freshness

home_credit-ingest:
	$(WEIGH) run home_credit ingest

home_credit-build: home_credit-ingest
	$(WEIGH) run home_credit build

home_credit-validate: home_credit-build
	$(WEIGH) run home_credit validate

home_credit-train: home_credit-validate
	$(WEIGH) run home_credit train

home_credit-gate: home_credit-train
	$(WEIGH) run home_credit gate

home_credit-promote: home_credit-gate
	$(WEIGH) run home_credit promote

home_credit-watch: home_credit-promote
	$(WEIGH) run home_credit watch

home_credit-freshness: home_credit-ingest
	$(WEIGH) run home_credit freshness
