"""dynaferry copies DynamoDB tables between AWS accounts on the data plane."""
