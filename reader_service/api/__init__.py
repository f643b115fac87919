"""The resources of API v1: endpoints and their schemas, one module for each resource."""
