"""How do FC and attention go along batch or context?"""
