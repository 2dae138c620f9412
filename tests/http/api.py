#!/usr/bin/env python3
"""The endpoints of contract.md section 4 over a seeded server: field names, paging, negotiation, errors,
events; and the OpenAPI description against what the server does. All modules ask the same server, in this
order: the counters and events that the last ones look at come from the ones before."""
import sys

import api_events
import api_experiments
import api_front
import api_models
import api_openapi
import api_results
import api_runs
import api_stock
import server

MODULES = [api_front, api_stock, api_runs, api_experiments, api_results, api_models, api_events, api_openapi]

if __name__ == "__main__":
    sys.exit(server.run([test for module in MODULES for test in module.TESTS]))
