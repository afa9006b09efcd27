"""Where do a fleet's captures and tables lie, and how are they written once?"""
