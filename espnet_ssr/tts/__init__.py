"""Speech for texts: voices, what they read aloud, and a cache of clips that were checked."""
