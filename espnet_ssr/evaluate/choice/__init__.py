"""Tasks in which a model has to find one of several candidates the likeliest."""
