"""What is each kernel for? By its name, by its neighbours."""
