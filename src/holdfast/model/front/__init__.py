"""What an edge does for a site besides passing requests on: a record a feature, one file each."""
