if __name__ != "riparian.storage":
    raise ImportError("import riparian.storage, not the folder storage/")
