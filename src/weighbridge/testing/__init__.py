"""Public tools to test a use case, a store or an adapter: the naive oracle, contract suites, sample declarations."""
