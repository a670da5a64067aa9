"""What rlmesh-sandbox adds to an image for --wrap and for the functions of --import."""
