"""What follows from the catalog: the road from one release to another, hop by hop. Pure."""
