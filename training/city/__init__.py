"""A synthetic city: rendered traffic in the format of CityFlow-NL, hard in the same ways."""
