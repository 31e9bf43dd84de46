"""How are values kept as bytes, and read again?"""
