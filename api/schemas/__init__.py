"""The JSON shapes of the contract, a file per area."""
