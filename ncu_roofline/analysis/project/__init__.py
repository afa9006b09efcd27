"""What would another device, width or batch give?"""
