"""Where does a pass, where does a layer begin and end? By the launches that open and close them, and by an engine's ranges."""
