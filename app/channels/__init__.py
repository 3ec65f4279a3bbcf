"""Channels: how a push leaves the house. Each provider is a `domain.pushes.Sender`; `wiring` alone plugs them in."""
