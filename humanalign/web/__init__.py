"""The labelling app: pages for labelers and owners, and the API, over one feedback store."""
