"""A migration flows one way: estate < sources < assess < plan < transfer < cutover < service."""
