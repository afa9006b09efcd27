"""What do many captures say together: what stands in a fleet's tables, and what changed since when?"""
