"""The domain, as given(events).when(command).then(events or error)."""
