"""The models of Reviewdesk, free of Django: data in, artifacts and predictions out."""
