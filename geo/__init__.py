"""Where things are: ODK geometry text, measures, boundaries. Knows neither Flask nor the database."""
