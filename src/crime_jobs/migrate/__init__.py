"""Oracle to DynamoDB with proof, DynamoDB to the landing folder, and who is told of it."""
