"""What in a capture cannot be trusted?"""
