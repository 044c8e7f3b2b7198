"""What a form is: XForm to schema, submission to answers, schema to tables. Knows neither Flask nor the database."""
